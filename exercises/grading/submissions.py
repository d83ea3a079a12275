"""What was handed in: a folder of students' folders, files and zips, and in each the one file.

Nothing is run, nothing unpacked, no link followed. What cannot be graded is `Refused`, with a
reason that the student can read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from exercises.common import UsageError
from exercises.grading.archives import MAX_ARCHIVE, MAX_FILE, Refused, read_archive
from exercises.grading.names import folder_name, mark, plain

#: the most that is looked at in a student's folder
MAX_FILES, MAX_DEPTH = 2000, 12
#: what systems and editors leave behind, in folders and zips
SKIPPED = (".", "__MACOSX", "__pycache__")


@dataclass(frozen=True)
class Entry:
    """One student's submission, not yet looked into.

    Attributes
    ----------
    path : the folder, file or zip
    student : the name, fit to print
    folder : the name below marks/students, another one for each entry
    """

    path: Path
    student: str
    folder: str


@dataclass(frozen=True)
class Found:
    """The file that counts, and a note where it was not called as it should be."""

    source: bytes
    note: str = ""


def find_entries(path: Path, *, one: bool = False) -> list[Entry]:
    """The submissions in a folder, by name; with `one`, the path itself is the only one.

    Raises
    ------
    UsageError
        when there is nothing to grade
    """
    if one:
        if not os.path.lexists(path):
            raise UsageError(f"there is no submission {path}")
        name = student_of(path.absolute())
        return [Entry(path, plain(name), folder_name(name))]
    if not path.is_dir():
        raise UsageError(
            f"{path} is no folder of submissions; a single one is graded by `--one {path}`"
        )
    found = sorted(each for each in path.iterdir() if not each.name.startswith(SKIPPED))
    if not found:
        raise UsageError(f"there are no submissions in {path}")
    stems = [student_of(each) for each in found]
    entries, taken, printed = [], set(), set()
    for each, stem in zip(found, stems, strict=True):
        name = stem if stems.count(stem) == 1 else each.name
        folder = folder_name(name)
        while folder.casefold() in taken:  # ada and Ada are one folder on some systems
            folder = f"{folder}-{mark(each.name)}"
        student = plain(name)
        while student in printed:  # what made them differ cannot be printed
            student = f"{student} ({mark(each.name)})"
        taken.add(folder.casefold())
        printed.add(student)
        entries.append(Entry(each, student, folder))
    return entries


def student_of(path: Path) -> str:
    """The name without .py or .zip."""
    known = path.suffix.lower() in (".py", ".zip")
    # Of a link the link itself: where it leads to may be too long a name, or closed.
    return path.stem if known and not stat.S_ISDIR(path.lstat().st_mode) else path.name


def read_submission(path: Path, wanted: str, stub: bytes) -> Found:
    """The file `wanted` (such as unit_02.py) of one submission.

    Parameters
    ----------
    path : a folder, a Python file or a zip
    wanted : the file's name
    stub : the file as it was handed out

    Raises
    ------
    Refused
        with the reason why there is nothing to grade
    """
    try:
        kind = path.lstat().st_mode
        if stat.S_ISDIR(kind):
            return from_folder(path, wanted, stub)
        if stat.S_ISREG(kind) and path.suffix.lower() == ".py":
            return Found(read_file(path, MAX_FILE))
        if stat.S_ISREG(kind) and path.suffix.lower() == ".zip":
            return from_zip(path, wanted, stub)
    except OSError as error:
        raise Refused(f"The submission cannot be read: {error.strerror}.") from None
    if stat.S_ISREG(kind):
        raise Refused(f"This is neither a Python file nor a zip. Hand in {wanted}.")
    raise Refused(f"This is a link or no ordinary file. Hand in {wanted}.")


def from_zip(path: Path, wanted: str, stub: bytes) -> Found:
    """The file in a zip."""
    files = read_archive(read_file(path, MAX_ARCHIVE))
    return choose(list(files), files.__getitem__, wanted, stub)


def from_folder(folder: Path, wanted: str, stub: bytes) -> Found:
    """The file in a folder, at whatever depth; or in the only zip there, if there is no Python."""
    files = {path.relative_to(folder).as_posix(): path for path in walk(folder)}
    python = [name for name in files if name.lower().endswith(".py")]
    zips = [name for name in files if name.lower().endswith(".zip")]
    if not python and len(zips) == 1:
        return from_zip(files[zips[0]], wanted, stub)
    return choose(python, lambda name: read_file(files[name], MAX_FILE), wanted, stub)


def walk(folder: Path) -> list[Path]:
    """All ordinary files below a folder; links are left alone, but for a wanted one's sake named.

    Raises
    ------
    Refused
        when there are too many, or a Python file is a link or a pipe
    """
    found: list[Path] = []
    folders = [(folder, 0)]
    n_seen = 0
    while folders:
        here, depth = folders.pop()
        with os.scandir(here) as entries:
            for entry in entries:
                n_seen += 1
                if n_seen > MAX_FILES or depth > MAX_DEPTH:
                    raise Refused("There are too many files. Hand in your own file only.")
                if entry.name.startswith(SKIPPED):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append((Path(entry.path), depth + 1))
                elif entry.is_file(follow_symlinks=False):
                    found.append(Path(entry.path))
                elif entry.name.lower().endswith(".py"):
                    raise Refused(f"{plain(entry.name)} is a link or no ordinary file.")
    return sorted(found)


def choose(names: list[str], read: Callable[[str], bytes], wanted: str, stub: bytes) -> Found:
    """The one file that is meant: by its name, else the only Python file there is.

    Files that are as they were handed out do not count where there is another of the name: a whole
    copy of the course holds both.
    """
    names = [n for n in names if not any(p.startswith(SKIPPED) for p in PurePosixPath(n).parts)]
    named = [name for name in names if PurePosixPath(name).name.casefold() == wanted]
    found = {name: read(name) for name in named or names[:2]}
    if named:
        changed = {name: source for name, source in found.items() if source != stub}
        distinct = set((changed or found).values())
        if len(distinct) == 1:
            return Found(distinct.pop())
        listed = ", ".join(plain(name) for name in changed)
        raise Refused(f"There are several files {wanted}: {listed}. Hand in one.")
    if len(names) == 1:
        return Found(found[names[0]], f"{plain(names[0])} was taken for {wanted}")
    rest = "several other Python files" if names else "no other Python file either"
    raise Refused(f"There is no file {wanted}, and {rest}. Hand in {wanted}.")


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of an ordinary file; Refused for any other, and for one above the limit."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Refused(f"{plain(path.name)} is not an ordinary file.")
            contents = file.read(limit + 1)
    except OSError as error:
        raise Refused(f"{plain(path.name)} cannot be read: {error.strerror}.") from None
    if len(contents) > limit:
        raise Refused(f"{plain(path.name)} is larger than {limit >> 10} kB.")
    return contents
