"""Files in IDX form, a short header and then the numbers; and MNIST, which comes in four of them.

=============  =====================================================================
bytes          meaning
=============  =====================================================================
2              zero
1              the type of the numbers, a key of `DTYPES`
1              d, how many dimensions there are
4 each of d    the length along each dimension, an unsigned integer, big-endian
all the rest   the numbers, big-endian, the last dimension running fastest
=============  =====================================================================

A header can promise anything. So memory is taken only for bytes that were really read, nothing is
read (or unpacked) much further than the header promised, and a file that keeps its promise in any
other way than exactly is refused.

Source: LeCun, Cortes and Burges, "The MNIST database", the section on file formats.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dbnlib.checks import DataError

#: type code → type of the numbers as they stand in the file
DTYPES = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}

#: the most dimensions that a NumPy array can have
MAX_NDIM = 64

#: how many bytes are read at a time
CHUNK = 1 << 20

#: part of MNIST → its file of images and its file of labels
MNIST_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

#: ends the messages about missing files
WHAT_TO_DO = (
    f"put the four files {', '.join(name for pair in MNIST_FILES.values() for name in pair)} "
    "(each may end in .gz) into one folder and give it as folder=..., or in the environment "
    "variable DBNLIB_DATA"
)


def read_idx(path: str | Path) -> np.ndarray:
    """The array in an IDX file, raw or packed by gzip (told by its contents, not by its name).

    Parameters
    ----------
    path : the file

    Returns
    -------
    ndarray of the shape in the header, in this machine's byte order

    Raises
    ------
    DataError
        for a file that is missing, empty, no IDX file, truncated, too long or damaged. A raw file
        has no checksum, so bytes changed within it go unnoticed; a packed one has, and they do not.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            if file.peek(2)[:2] == b"\x1f\x8b":
                return parse(path, gzip.GzipFile(fileobj=file))
            return parse(path, file)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; check its name and folder") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} is a damaged gzip file ({error}); download or copy it once more"
        ) from None
    except OSError as error:
        if path.is_dir():
            raise DataError(f"{path} is a folder; give the path of one file in it") from None
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from None


def parse(path: Path, stream: BinaryIO) -> np.ndarray:
    """The array in an open IDX stream; `path` is only for the messages."""
    dtype, shape = parse_header(path, stream)
    promised = dtype.itemsize * math.prod(shape)
    # One byte too many is asked for: it shows a file that is too long, and at the end of a packed
    # file it makes gzip compare the checksum.
    data = read_at_most(stream, promised + 1)
    if len(data) < promised:
        raise DataError(
            f"{path} is truncated: its header promises {promised} bytes of numbers (shape {shape}, "
            f"{dtype.name}), and only {len(data)} follow; download or copy it once more"
        )
    if len(data) > promised:
        raise DataError(
            f"{path} has trailing bytes: its header promises {promised} bytes of numbers (shape "
            f"{shape}, {dtype.name}), and more follow; it is damaged, or its header is wrong"
        )
    try:
        array = np.frombuffer(data, dtype=dtype).reshape(shape)
    except ValueError:  # no numbers at all, and lengths beyond what an array can have
        raise DataError(f"{path} promises the impossible shape {shape}") from None
    return array.astype(dtype.newbyteorder("="), copy=False)


def parse_header(path: Path, stream: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and shape that the header promises; reads the header and no more."""
    start = stream.read(4)
    if not start:
        raise DataError(f"{path} is empty; download or copy it once more")
    if any(start[:2]):
        raise DataError(
            f"{path} is no IDX file: it starts with {start!r} instead of two zero bytes; "
            "is it the right file, or a web page saved in its place?"
        )
    if len(start) < 4:
        raise DataError(f"{path} is truncated: it ends within its header, after {len(start)} bytes")
    code, ndim = start[2], start[3]
    if code not in DTYPES:
        known = ", ".join(f"0x{known:02X}" for known in DTYPES)
        raise DataError(
            f"{path} has the unknown type code 0x{code:02X}, so it is damaged or no IDX file; "
            f"the codes are {known}"
        )
    if not 1 <= ndim <= MAX_NDIM:
        raise DataError(
            f"{path} promises {ndim} dimensions, so it is damaged or no IDX file; "
            f"there can be 1 to {MAX_NDIM}"
        )
    lengths = stream.read(4 * ndim)
    if len(lengths) < 4 * ndim:
        raise DataError(
            f"{path} is truncated: its header takes {4 + 4 * ndim} bytes, "
            f"and the file ends after {4 + len(lengths)}"
        )
    return DTYPES[code], struct.unpack(f">{ndim}I", lengths)


def read_at_most(stream: BinaryIO, n_bytes: int) -> bytearray:
    """The next `n_bytes`, or fewer where the stream ends; memory grows with what is there."""
    data = bytearray()
    while chunk := stream.read(min(CHUNK, n_bytes - len(data))):
        data += chunk
    return data


# ---- MNIST


def read_mnist(part: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 28, 28) and labels (n,) of the files in a folder, checked against each other."""
    images_file, labels_file = (find_file(folder, name) for name in MNIST_FILES[part])
    images, labels = read_idx(images_file), read_idx(labels_file)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(
            f"{images_file} should hold images, bytes of shape (n, 28, 28), and holds "
            f"{images.dtype} of shape {images.shape}; is it another file under this name?"
        )
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise DataError(
            f"{labels_file} should hold labels, bytes of shape (n,), and holds {labels.dtype} of "
            f"shape {labels.shape}; is it another file under this name?"
        )
    if images.shape[1:] != (28, 28):
        size = "x".join(map(str, images.shape[1:]))
        raise DataError(f"{images_file} holds images of {size} pixels; those of MNIST are 28x28")
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} holds {len(images)} images and {labels_file} {len(labels)} labels; "
            "take both files from one source, and the same part of it"
        )
    if len(images) == 0:
        raise DataError(f"{images_file} and {labels_file} are sound, but hold no images")
    if labels.max() > 9:
        raise DataError(
            f"{labels_file} holds the label {labels.max()} (row {labels.argmax()}); "
            "labels are 0 to 9, so it is damaged or of another data set"
        )
    return images, labels


def find_file(folder: Path, name: str) -> Path:
    """The path of `name` in `folder`, in any of its usual spellings; a packed file comes first."""
    for spelling in (name, name.replace("-idx", ".idx")):
        for path in (folder / f"{spelling}.gz", folder / spelling):
            if path.is_file():
                return path
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder} to look for {name} in; {WHAT_TO_DO}")
    raise DataError(f"there is neither {name} nor {name}.gz in {folder}; {WHAT_TO_DO}")
