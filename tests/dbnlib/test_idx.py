"""IDX files: right arrays from sound files, and a clear DataError from every damaged one.

The files are written here, byte by byte, by `idx_bytes`.
"""

from __future__ import annotations

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from dbnlib.checks import DataError
from dbnlib.idx import read_idx, read_mnist

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array, *, code=None, shape=None) -> bytes:
    """The file that holds `array`, or one whose header lies about its type or its shape."""
    array = np.asarray(array)
    shape = array.shape if shape is None else shape
    code = CODES[array.dtype.str[1:]] if code is None else code
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


SMALL = np.arange(1, 13, dtype=np.uint8).reshape(2, 3, 2)
SMALL_FILE = idx_bytes(SMALL)
SMALL_GZIP = gzip.compress(SMALL_FILE, mtime=0)


def outcome(folder, contents: bytes) -> np.ndarray | None:
    """The array that a file of these contents gives, or None for a DataError."""
    path = folder / "file"
    path.write_bytes(contents)
    try:
        return read_idx(path)
    except DataError:
        return None


# ---- sound files


def test_a_file_written_by_hand(tmp_path):
    path = tmp_path / "labels"
    path.write_bytes(bytes.fromhex("00000801 00000003 050004"))
    assert read_idx(path).tolist() == [5, 0, 4]


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gzip"])
@pytest.mark.parametrize("dtype", sorted(CODES))
def test_every_type_comes_back_in_native_byte_order(tmp_path, dtype, packed):
    information = np.finfo if dtype[0] == "f" else np.iinfo
    array = np.array([[information(dtype).min, 0, 1], [2, 3, information(dtype).max]], dtype)
    contents = idx_bytes(array)
    result = outcome(tmp_path, gzip.compress(contents) if packed else contents)
    assert result.dtype == array.dtype
    assert result.dtype.isnative
    np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize("ndim", [1, 2, 3, 4, 64])
def test_any_number_of_dimensions(tmp_path, ndim):
    array = np.arange(6, dtype=np.int16).reshape((1,) * (ndim - 1) + (6,))
    np.testing.assert_array_equal(outcome(tmp_path, idx_bytes(array)), array)


def test_the_last_dimension_runs_fastest(tmp_path):
    assert outcome(tmp_path, SMALL_FILE)[1, 2].tolist() == [11, 12]


def test_no_rows_is_an_array_too(tmp_path):
    assert outcome(tmp_path, idx_bytes(np.empty((0, 28, 28), np.uint8))).shape == (0, 28, 28)


@pytest.mark.parametrize(("name", "contents"), [("raw.gz", SMALL_FILE), ("packed.idx", SMALL_GZIP)])
def test_contents_and_not_the_name_say_whether_it_is_packed(tmp_path, name, contents):
    path = tmp_path / name
    path.write_bytes(contents)
    np.testing.assert_array_equal(read_idx(str(path)), SMALL)


def test_gzip_in_two_members_is_one_file(tmp_path):
    halves = gzip.compress(SMALL_FILE[:11]) + gzip.compress(SMALL_FILE[11:])
    np.testing.assert_array_equal(outcome(tmp_path, halves), SMALL)


def test_the_array_can_be_written_to(tmp_path):
    array = outcome(tmp_path, SMALL_FILE)
    array[0, 0, 0] = 99
    assert array[0, 0, 0] == 99


# ---- damaged files

CORRUPT_CRC = SMALL_GZIP[:-8] + bytes([SMALL_GZIP[-8] ^ 1]) + SMALL_GZIP[-7:]
CORRUPT_LENGTH = SMALL_GZIP[:-4] + bytes([SMALL_GZIP[-4] ^ 1]) + SMALL_GZIP[-3:]
HUGE = (2**32 - 1, 2**32 - 1)

DAMAGED = {
    "empty": (b"", "is empty"),
    "empty inside gzip": (gzip.compress(b""), "is empty"),
    "text": (b"5,0,4\n", "no IDX file: it starts with b'5,0,'"),
    "a web page": (b"<!DOCTYPE html>", "a web page saved in its place"),
    "gzip inside gzip": (gzip.compress(SMALL_GZIP), r"no IDX file: it starts with b'\\x1f\\x8b"),
    "little-endian magic number": (SMALL_FILE[3::-1] + SMALL_FILE[4:], "no IDX file"),
    "second byte not zero": (b"\0\1" + SMALL_FILE[2:], "no IDX file"),
    "unknown type code": (idx_bytes(SMALL, code=0x0A), "unknown type code 0x0A"),
    "no dimensions": (bytes([0, 0, 8, 0, 7]), "promises 0 dimensions"),
    "too many dimensions": (idx_bytes(SMALL, shape=(1,) * 65), "promises 65 dimensions"),
    "ends in the magic number": (SMALL_FILE[:3], "within its header, after 3 bytes"),
    "ends in the lengths": (SMALL_FILE[:9], "header takes 16 bytes, and the file ends after 9"),
    "header only": (SMALL_FILE[:16], "promises 12 bytes of numbers .* only 0 follow"),
    "one byte short": (SMALL_FILE[:-1], "promises 12 bytes of numbers .* only 11 follow"),
    "half a number": (idx_bytes(np.ones(3, "f8"))[:-4], "promises 24 bytes .* only 20 follow"),
    "one byte too many": (SMALL_FILE + b"\0", "trailing bytes"),
    "one byte too many in gzip": (gzip.compress(SMALL_FILE + b"\0"), "trailing bytes"),
    "two files in one": (SMALL_FILE * 2, "trailing bytes"),
    "short inside gzip": (gzip.compress(SMALL_FILE[:-1]), "promises 12 bytes .* only 11 follow"),
    "wider type than written": (idx_bytes(SMALL, code=0x0B), "promises 24 bytes .* only 12"),
    "absurd lengths": (idx_bytes(SMALL, shape=HUGE), f"promises {HUGE[0] ** 2} bytes"),
    "absurd lengths in gzip": (gzip.compress(idx_bytes(SMALL, shape=HUGE)), "only 12 follow"),
    "no rows of absurd length": (
        idx_bytes(np.empty(0, "u1"), shape=(0, *HUGE)),
        "the impossible shape",
    ),
    "gzip checksum wrong": (CORRUPT_CRC, "damaged gzip file .*CRC"),
    "gzip length wrong": (CORRUPT_LENGTH, "damaged gzip file .*length"),
    "gzip cut short": (SMALL_GZIP[:-9], "damaged gzip file .*end-of-stream"),
    "gzip without its checksum": (SMALL_GZIP[:-8], "damaged gzip file .*end-of-stream"),
    "gzip magic only": (SMALL_GZIP[:2], "damaged gzip file"),
    "gzip of unknown method": (SMALL_GZIP[:2] + b"\x07" + SMALL_GZIP[3:], "damaged gzip file"),
    "gzip followed by rubbish": (SMALL_GZIP + b"rubbish", "damaged gzip file"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_refused_by_name_and_reason(tmp_path, case):
    contents, message = DAMAGED[case]
    path = tmp_path / "some-file"
    path.write_bytes(contents)
    with pytest.raises(DataError, match=f"some-file .*{message}"):
        read_idx(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no file .*missing-file"):
        read_idx(tmp_path / "missing-file")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path.name} is a folder"):
        read_idx(tmp_path)


def test_an_unreadable_disk_is_a_data_error_too(tmp_path, monkeypatch):
    def broken_open(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", broken_open)
    with pytest.raises(DataError, match=r"some-file cannot be read \(Permission denied\)"):
        read_idx(tmp_path / "some-file")


# ---- memory


def peak_memory(contents: bytes, folder) -> int:
    """Most bytes held while a file of these contents is read and refused."""
    tracemalloc.start()
    try:
        assert outcome(folder, contents) is None
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_gzip_bomb_is_not_unpacked_beyond_its_promise(tmp_path):
    bomb = gzip.compress(SMALL_FILE + bytes(100_000_000))
    assert peak_memory(bomb, tmp_path) < 5_000_000


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_memory_is_not_taken_on_the_word_of_a_header(tmp_path, pack):
    liar = pack(idx_bytes(SMALL, shape=(1_000, 1_000, 1_000)))
    assert peak_memory(liar, tmp_path) < 5_000_000


# ---- fuzz: the right array or a DataError, never a wrong array


@pytest.mark.parametrize("contents", [SMALL_FILE, SMALL_GZIP], ids=["raw", "gzip"])
def test_a_file_cut_anywhere_is_refused(tmp_path, contents):
    accepted = [n for n in range(len(contents)) if outcome(tmp_path, contents[:n]) is not None]
    assert accepted == []


def test_a_gzip_with_any_one_byte_changed_never_gives_a_wrong_array(tmp_path):
    accepted = set()
    for place in range(len(SMALL_GZIP)):
        for change in (0x01, 0x10, 0x80, 0xFF):
            contents = bytearray(SMALL_GZIP)
            contents[place] ^= change
            array = outcome(tmp_path, bytes(contents))
            if array is not None:
                accepted.add(place)
                np.testing.assert_array_equal(array, SMALL)
    # What carries no data: flags (byte 3), time stamp (4 to 7), compression level (8), operating
    # system (9), and the bits that fill up the last byte before checksum and length (8 bytes).
    assert accepted <= {*range(3, 10), len(SMALL_GZIP) - 9}


def test_a_gzip_with_many_bytes_changed_never_gives_a_wrong_array(tmp_path):
    rng = np.random.default_rng(1)
    array = rng.integers(0, 256, (4, 9, 9), dtype=np.uint8)
    packed = np.frombuffer(gzip.compress(idx_bytes(array), mtime=0), np.uint8)
    refused = 0
    for _ in range(500):
        damaged = packed.copy()
        places = rng.choice(len(packed), size=rng.integers(1, 6), replace=False)
        damaged[places] ^= rng.integers(1, 256, size=len(places), dtype=np.uint8)
        result = outcome(tmp_path, damaged.tobytes())
        refused += result is None
        assert result is None or np.array_equal(result, array)
    assert refused > 450  # the others changed bytes that carry no data, as above


# ---- the files of MNIST

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
LABELS = np.array([9, 0, 4], np.uint8)


def write_mnist(folder, images=IMAGES, labels=LABELS):
    """The two training files in a folder."""
    (folder / TRAIN_IMAGES).write_bytes(idx_bytes(images))
    (folder / TRAIN_LABELS).write_bytes(idx_bytes(labels))


def test_images_come_with_their_labels(tmp_path):
    write_mnist(tmp_path)
    images, labels = read_mnist("train", tmp_path)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize(
    ("images_name", "labels_name"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("train-images.idx3-ubyte.gz", "train-labels-idx1-ubyte"),
    ],
)
def test_the_usual_names_are_found(tmp_path, images_name, labels_name):
    pack = {True: gzip.compress, False: bytes}
    (tmp_path / images_name).write_bytes(pack["gz" in images_name](idx_bytes(IMAGES)))
    (tmp_path / labels_name).write_bytes(pack["gz" in labels_name](idx_bytes(LABELS)))
    np.testing.assert_array_equal(read_mnist("train", tmp_path)[0], IMAGES)


def test_the_test_part_has_files_of_its_own(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES[:1]))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS[:1]))
    assert read_mnist("test", tmp_path)[1].tolist() == [9]


UNFIT = {
    "the files are swapped": (LABELS, IMAGES, f"{TRAIN_IMAGES} should hold images"),
    "images in place of labels": (IMAGES, IMAGES, f"{TRAIN_LABELS} should hold labels"),
    "labels in place of images": (LABELS, LABELS, f"{TRAIN_IMAGES} should hold images"),
    "images of wide integers": (IMAGES.astype("i2"), LABELS, "holds int16 of shape"),
    "labels of floats": (IMAGES, LABELS.astype("f4"), "holds float32 of shape"),
    "a label of ten": (IMAGES, LABELS + np.uint8(1), r"the label 10 \(row 0\)"),
    "one label missing": (IMAGES, LABELS[:2], f"{TRAIN_IMAGES} holds 3 images .*{TRAIN_LABELS} 2"),
    "one image missing": (IMAGES[:2], LABELS, f"{TRAIN_IMAGES} holds 2 images .*{TRAIN_LABELS} 3"),
    "small images": (IMAGES[:, :8, :8], LABELS, "images of 8x8 pixels"),
    "images lying flat": (IMAGES.reshape(3, 784), LABELS, "should hold images"),
    "images cut in half": (IMAGES.reshape(6, 14, 28), LABELS, "images of 14x28 pixels"),
    "nothing at all": (IMAGES[:0], LABELS[:0], "no images"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_sound_files_that_are_not_mnist_are_refused(tmp_path, case):
    images, labels, message = UNFIT[case]
    write_mnist(tmp_path, images, labels)
    with pytest.raises(DataError, match=message):
        read_mnist("train", tmp_path)


def test_a_missing_file_is_named_with_the_folder_and_what_to_do(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / TRAIN_LABELS).unlink()
    with pytest.raises(DataError, match=f"neither {TRAIN_LABELS} nor .* in .*four files"):
        read_mnist("train", tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*nowhere"):
        read_mnist("train", tmp_path / "nowhere")
