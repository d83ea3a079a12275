"""The learner's own copy of the course, in my-course/: kept up to date and never overwritten.

Of each file there are three versions: the course's as it is now, the course's as it was when last
copied (remembered by checksums in my-course/.copied.json), and the learner's. What happens follows
from which of them agree.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from exercises.common import ROOT, CourseError, MissingError, UsageError, names

FOLDER = "my-course"
RECORD = ".copied.json"
FIRST = "notebooks/00_start_here.ipynb"

#: what the learner gets
PATTERNS = ("notebooks/**/*", "exercises/unit_*/**/*", "exercises/bug_hunt/**/*")
#: how the names of what tools leave behind begin
SKIPPED = ("__pycache__", ".")


@dataclass(frozen=True)
class Print:
    """Fingerprints of a file.

    Attributes
    ----------
    whole : checksum of every byte
    text : checksum of what a person writes; of a notebook, its cells without their outputs
    """

    whole: str
    text: str


@dataclass
class Changes:
    """What `update` did, as paths below my-course/."""

    n_files: int = 0
    first: bool = False
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    beside: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        if self.first:
            return f"Made your own copy of the course in {FOLDER}/ ({self.n_files} files)."
        lines = [f"New in the course: {name}" for name in self.added]
        lines += [f"Updated, as you had not changed it: {name}" for name in self.updated]
        lines += [
            f"You and the course both changed {mine}: yours stays, the course's is {new}"
            for mine, new in self.beside
        ]
        return "\n".join(lines)


def course_files(root: Path = ROOT) -> list[str]:
    """The files that a learner gets, as paths from `root` with forward slashes."""
    return [
        name
        for pattern in PATTERNS
        for name in names(root, pattern)
        if (root / name).is_file()
        and not any(part.startswith(SKIPPED) for part in Path(name).parts)
    ]


def update(root: Path = ROOT) -> Changes:
    """Bring my-course/ up to date with the course.

    A file that is not there is copied; what happens to the others, `verdict` says.

    Raises
    ------
    MissingError
        when the course has no notebooks
    OSError
        where my-course/ cannot be written
    """
    files = course_files(root)
    if not files:
        raise MissingError(
            f"there are no notebooks in {root / 'notebooks'}; take a whole copy of the course"
        )
    folder = root / FOLDER
    changes = Changes(n_files=len(files), first=not folder.exists())
    record = read_record(folder / RECORD)
    for name in files:
        theirs, mine = root / name, folder / name
        now, copied = fingerprint(theirs), record.get(name)
        if not os.path.lexists(mine):
            write(mine, theirs.read_bytes())
            changes.added.append(name)
        elif mine.is_file():
            what = verdict(now, copied, fingerprint(mine))
            if what == "update":
                write(mine, theirs.read_bytes())
                changes.updated.append(name)
            elif what == "beside":
                changes.beside.append((name, put_beside(mine, theirs, folder)))
        record[name] = now
    write(folder / RECORD, json.dumps({n: vars(p) for n, p in record.items()}, indent=1).encode())
    return changes


def verdict(now: Print, copied: Print | None, learner: Print) -> str:
    """What to do with a file: 'keep' or 'update' the learner's, or put the course's 'beside'.

    | learner's file | course's file, since copied  | verdict |
    | -------------- | ---------------------------- | ------- |
    | untouched      | changed in any way           | update  |
    | only run       | only run                     | keep    |
    | only run       | edited                       | update  |
    | edited         | the same, or only run        | keep    |
    | edited         | edited, in the same way      | keep    |
    | edited         | edited, in another way       | beside  |

    When the record of what was copied is lost, a file that differs counts as edited by both.
    """
    if copied is not None and learner.whole == copied.whole:
        return "keep" if now.whole == copied.whole else "update"
    if learner.text == now.text:
        return "keep"
    if copied is None:
        return "beside"
    if copied.text == now.text:
        return "keep"
    return "update" if copied.text == learner.text else "beside"


def reset(name: str, root: Path = ROOT) -> str:
    """Give the learner the course's version of one file; returns a sentence that says so.

    The learner's version is kept beside it as NAME.mine-1, NAME.mine-2 and so on. `name` may be
    a path, a file name with or without its ending, or the beginning of one.

    Raises
    ------
    UsageError
        when no file, or more than one, is meant
    """
    found = find(name, course_files(root))
    theirs, mine = root / found, root / FOLDER / found
    sentence = f"{FOLDER}/{found} is the course's version again"
    if os.path.lexists(mine):
        if mine.is_file() and mine.read_bytes() == theirs.read_bytes():
            return f"{FOLDER}/{found} is the course's version already"
        kept = next(p for n in range(1, 10**6) if not os.path.lexists(p := named(mine, "mine", n)))
        mine.rename(kept)
        sentence += f"; yours is kept as {kept.name}"
    write(mine, theirs.read_bytes())
    record = read_record(root / FOLDER / RECORD) | {found: fingerprint(theirs)}
    contents = json.dumps({n: vars(p) for n, p in record.items()}, indent=1)
    write(root / FOLDER / RECORD, contents.encode())
    return sentence


def find(name: str, files: list[str]) -> str:
    """The one of `files` that a learner means by `name`; UsageError if none or several."""
    wanted = name.replace("\\", "/").removeprefix("./").removeprefix(FOLDER + "/")
    ways = (
        lambda file: file == wanted,
        lambda file: Path(file).name == wanted,
        lambda file: Path(file).stem == wanted,
        lambda file: wanted and Path(file).name.startswith(wanted),
    )
    for way in ways:
        found = [file for file in files if way(file)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{name!r} may mean {' or '.join(found)}; write the whole path")
    stems = {Path(file).stem: file for file in files}
    near = difflib.get_close_matches(Path(wanted).stem, stems, n=1)
    hint = f"did you mean {stems[near[0]]}?" if near else f"there are {', '.join(files)}"
    raise UsageError(f"the course has no file {name!r}; {hint}")


def fingerprint(path: Path) -> Print:
    """The checksums of a file. A notebook that was only run keeps its `text`."""
    contents = path.read_bytes()
    whole = hashlib.sha256(contents).hexdigest()
    if path.suffix != ".ipynb":
        return Print(whole, whole)
    try:
        cells = [[c["cell_type"], "".join(c["source"])] for c in json.loads(contents)["cells"]]
    except (KeyError, TypeError, ValueError):  # no notebook after all
        return Print(whole, whole)
    return Print(whole, hashlib.sha256(json.dumps(cells).encode()).hexdigest())


def put_beside(mine: Path, theirs: Path, folder: Path) -> str:
    """Write the course's file as NAME.new beside the learner's; returns its path in my-course/."""
    contents = theirs.read_bytes()
    for n in range(1, 10**6):
        new = named(mine, "new", n if n > 1 else None)
        if not os.path.lexists(new):
            write(new, contents)
            break
        if new.is_file() and new.read_bytes() == contents:
            break
    return new.relative_to(folder).as_posix()


def named(path: Path, word: str, number: int | None) -> Path:
    """NAME.word-number.ending, so that a notebook still ends in .ipynb."""
    tail = word if number is None else f"{word}-{number}"
    return path.with_name(f"{path.stem}.{tail}{path.suffix}")


def read_record(path: Path) -> dict[str, Print]:
    """What was copied; entries that are damaged are left out, and so is a damaged file."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8")).items()
    except (OSError, ValueError, AttributeError):
        return {}
    return {
        name: Print(entry["whole"], entry["text"])
        for name, entry in entries
        if isinstance(entry, dict) and {"whole", "text"} <= entry.keys()
    }


def write(path: Path, contents: bytes) -> None:
    """Write beside `path`, then rename: a crash leaves the old file whole."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise CourseError(f"{path.parent} is a file where a folder is wanted; move it") from None
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(contents)
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
