"""Zips of strangers: read in memory, nothing unpacked, and refused with a reason if unsound.

Only Python files are ever decompressed, each up to a limit; but an archive with one entry that a
careless program would be harmed by (a path that leads out, a link, a device, …) is refused whole.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import PurePosixPath

#: bytes of the archive, and of all that it says it holds; entries; bytes of their list
MAX_ARCHIVE, MAX_CONTENTS = 2**25, 2**28
MAX_ENTRIES, MAX_LIST = 2000, 2**20
#: bytes of one Python file, and of all together
MAX_FILE, MAX_FILES = 2**20, 2**23

#: how the list's end begins, its length, and the sign of the form for more than 4 GB
END, N_END, LARGE, N_LARGE = b"PK\x05\x06", 22, b"PK\x06\x07", 20
KINDS = {stat.S_IFREG: "", stat.S_IFDIR: "", 0: "", stat.S_IFLNK: "a link"}
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Refused(Exception):
    """A submission that nothing can be graded in; the message is for the student."""


def read_archive(contents: bytes, ending: str = ".py") -> dict[str, bytes]:
    """The files of a zip whose names have the ending, by their paths.

    Raises
    ------
    Refused
        when the archive is damaged, or holds what no submission needs
    """
    check_list(contents)
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            entries = archive.infolist()
            check_entries(entries)
            wanted = [e for e in entries if e.filename.lower().endswith(ending) and not e.is_dir()]
            if sum(entry.file_size for entry in wanted) > MAX_FILES:
                raise Refused("The zip holds more Python than any exercise needs.")
            return {entry.filename: read_entry(archive, entry) for entry in wanted}
    except UnicodeDecodeError:
        raise Refused("The zip has file names that are no text; make it anew.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
        raise Refused(f"The zip is damaged ({error}); make it anew.") from None
    except (NotImplementedError, RuntimeError, ValueError, OSError, OverflowError) as error:
        raise Refused(f"The zip cannot be read ({error}); make it anew.") from None


def check_list(contents: bytes) -> None:
    """Refuse an archive whose list of entries is too long, before the list is read."""
    if len(contents) > MAX_ARCHIVE:
        raise Refused(f"The zip is larger than {MAX_ARCHIVE >> 20} MB.")
    at = len(contents) - N_END
    if contents[at : at + 4] != END or contents[-2:] != b"\0\0":  # else there is no comment
        at = contents.rfind(END, max(0, len(contents) - (2**16 - 1) - N_END))
    if at < 0 or len(contents) < at + N_END:
        raise Refused("This is no zip, or half of one; make it anew.")
    if contents[max(0, at - N_LARGE) : at].startswith(LARGE):
        raise Refused("The zip has the form for very large archives; make it anew.")
    n_entries, n_bytes = struct.unpack_from("<HI", contents, at + 10)
    if n_entries > MAX_ENTRIES or n_bytes > MAX_LIST:
        raise Refused(f"The zip has more than {MAX_ENTRIES} files. Hand in your own file only.")


def check_entries(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse what a path, a kind or a size could do harm with."""
    if len(entries) > MAX_ENTRIES:
        raise Refused(f"The zip has more than {MAX_ENTRIES} files. Hand in your own file only.")
    seen = set()
    for entry in entries:
        name = entry.orig_filename
        path = PurePosixPath(name)
        if "\0" in name or "\\" in name or any(ord(c) < 32 for c in name):
            raise Refused("The zip has a file whose name holds signs that no name has.")
        if path.is_absolute() or ".." in path.parts or name[1:2] == ":" or not path.parts:
            raise Refused("The zip has a file whose path leads out of the zip.")
        if path.as_posix().casefold() in seen:
            raise Refused("The zip has two files of the same name.")
        seen.add(path.as_posix().casefold())
        kind = KINDS.get(stat.S_IFMT(entry.external_attr >> 16), "a device or a pipe")
        if kind:
            raise Refused(f"The zip holds {kind}. Hand in plain files.")
        if entry.flag_bits & 1:
            raise Refused("The zip wants a password. Hand it in without one.")
    if sum(entry.file_size for entry in entries) > MAX_CONTENTS:
        raise Refused(f"The zip would unpack to more than {MAX_CONTENTS >> 20} MB.")


def read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The bytes of one file, however much larger it is than it says: no more than allowed."""
    if entry.compress_type not in METHODS:
        raise Refused("The zip is packed in an unusual way; make it anew.")
    with archive.open(entry) as file:
        contents = file.read(MAX_FILE + 1)
    if len(contents) > MAX_FILE:
        raise Refused(f"A Python file in the zip is larger than {MAX_FILE >> 10} kB.")
    return contents
