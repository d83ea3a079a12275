"""Hostile and broken zips: each is refused with a message of its own, and harms nothing."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib

import pytest

from exercises.grading import archives
from exercises.grading.archives import Refused, read_archive

CODE = b"def double(x):\n    return 2 * x\n"


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A zip with these entries."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in entries:
            archive.writestr(name, contents)
    return memory.getvalue()


def special(name: str, mode: int) -> zipfile.ZipInfo:
    """An entry of another kind than a file."""
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (mode | 0o644) << 16
    return entry


def with_name(raw: bytes) -> bytes:
    """A zip with one entry whose name is these bytes."""
    return packed(("X" * len(raw), CODE)).replace(b"X" * len(raw), raw)


def patched(contents: bytes, sign: bytes, offset: int, new: bytes) -> bytes:
    """The bytes with a field of the last header that begins with the sign replaced."""
    at = contents.rindex(sign) + offset
    return contents[:at] + new + contents[at + len(new) :]


def end_that_claims(n_entries: int, n_bytes: int) -> bytes:
    """The end of a zip only."""
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, n_entries, n_entries, n_bytes, 0, 0)


CENTRAL = b"PK\x01\x02"
ONE = packed(("unit_07.py", CODE))
ENCRYPTED = patched(patched(ONE, CENTRAL, 8, b"\x01\x00"), b"PK\x03\x04", 6, b"\x01\x00")

HOSTILE = {
    "leads out": (packed(("../unit_07.py", CODE)), "leads out"),
    "leads out, deep": (packed(("a/../../unit_07.py", CODE)), "leads out"),
    "absolute": (packed(("/etc/unit_07.py", CODE)), "leads out"),
    "drive": (packed(("C:unit_07.py", CODE)), "leads out"),
    "backslash": (with_name(rb"..\unit_07.py"), "signs that no name has"),
    "end of text in a name": (with_name(b"unit_07.py\0.png"), "signs that no name has"),
    "escape code in a name": (packed(("\x1b[31m.py", CODE)), "signs that no name has"),
    "link": (packed((special("unit_07.py", stat.S_IFLNK), b"/etc/passwd")), "a link"),
    "device": (packed((special("unit_07.py", stat.S_IFCHR), b"")), "a device or a pipe"),
    "pipe": (packed((special("unit_07.py", stat.S_IFIFO), b"")), "a device or a pipe"),
    "twice": (packed(("unit_07.py", CODE), ("UNIT_07.py", CODE)), "two files of the same name"),
    "password": (ENCRYPTED, "password"),
    "bomb of one file": (packed(("unit_07.py", b"#" * 2**21)), "larger than 1024 kB"),
    "bomb of many files": (
        packed(*((f"{n}.py", b"#" * 2**20) for n in range(9))),
        "more Python than",
    ),
    "bomb beside the file": (
        packed(("unit_07.py", CODE), ("data.bin", b"\0" * (2**28 + 1))),
        "would unpack to more than 256 MB",
    ),
    "claims to be small": (
        patched(packed(("unit_07.py", b"#" * 2**21)), CENTRAL, 24, struct.pack("<L", 10)),
        "damaged|larger",
    ),
    "too many files": (packed(*((f"{n}", b"") for n in range(2001))), "more than 2000 files"),
    "list that claims to be long": (end_that_claims(10, 2**30), "more than 2000 files"),
    "list that claims many": (end_that_claims(60_000, 100), "more than 2000 files"),
    "form for large archives": (
        packed(("unit_07.py", CODE))[:-22]
        + struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
        + packed(("unit_07.py", CODE))[-22:],
        "very large archives",
    ),
    "half": (ONE[: len(ONE) // 2], "half of one"),
    "no list": (ONE[-22:], "damaged|no Python|cannot be read"),
    "wrong checksum": (ONE.replace(zlib.compress(CODE)[2:10], b"\0" * 8), "damaged|cannot be read"),
    "unusual packing": (patched(ONE, CENTRAL, 10, struct.pack("<H", 99)), "unusual|cannot"),
    "name that is no text": (
        patched(with_name(b"\xff\xfe\xfa.py"), CENTRAL, 8, b"\x00\x08"),
        "no text",
    ),
    "nonsense": (b"PK but nothing else", "no zip"),
    "empty": (b"", "no zip"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archive_is_refused_with_its_own_message(name):
    contents, said = HOSTILE[name]
    with pytest.raises(Refused, match=said) as refused:
        read_archive(contents)
    assert len(str(refused.value)) < 200
    assert str(refused.value).isprintable()


def test_archive_that_is_too_large_is_not_even_read(monkeypatch):
    monkeypatch.setattr(archives, "MAX_ARCHIVE", len(ONE) - 1)
    with pytest.raises(Refused, match="The zip is larger than"):
        read_archive(ONE)


def test_python_files_of_an_honest_archive_are_read_and_nothing_else():
    contents = packed(
        ("a/", b""), ("a/unit_07.py", CODE), ("a/b/x.PY", b"1"), ("a/notes.txt", b"n")
    )
    assert read_archive(contents) == {"a/unit_07.py": CODE, "a/b/x.PY": b"1"}


@pytest.mark.parametrize("comment", [b"from my editor", b"x" * 65535])
def test_archive_with_a_comment_is_read(comment):
    memory = io.BytesIO(ONE)
    with zipfile.ZipFile(memory, "a") as archive:
        archive.comment = comment
    assert read_archive(memory.getvalue()) == {"unit_07.py": CODE}


def test_nothing_is_written_to_the_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read_archive(packed(("a/unit_07.py", CODE)))
    assert list(tmp_path.iterdir()) == []
