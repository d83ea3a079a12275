"""`course release`: the students' copy of the course, and an autograder for Gradescope.

    students' copy = what is listed here − hidden tests − what is not listed here
    autograder     = setup.sh + run_autograder + the course with one unit and all of its tests

Nothing is copied because it happens to lie there: a file among the course's own that is not listed
stops the students' copy, until a person has put it elsewhere. Both are made beside and renamed when
they are sound: the students' copy is asked, as a student would, which tests it holds.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from exercises.common import ROOT, CourseError, UsageError, names
from exercises.grading.check import grade_file
from exercises.grading.hidden import without_hidden_tests
from exercises.grading.report import NOT_ATTEMPTED
from exercises.grading.units import Unit, all_units, find_unit

#: the modules of the package `exercises`
MODULES = (
    *("__init__", "build", "common", "course", "demo", "lab", "manual", "testing", "workspace"),
)
#: what both hold, of every unit's number; names that begin with a dot are left out below these
SHARED = (
    *("README.md", "LICENSE", "pyproject.toml", ".gitignore"),
    *("dbnlib/*.py", "dbnlib/widgets/*.py", "exercises/grading/*.py"),
    *(f"exercises/{name}.py" for name in MODULES),
)
FOR_STUDENTS = (
    *("notebooks/[0-9][0-9]_*.ipynb", "notebooks/figures/**/*", "tests/*.py", "tests/dbnlib/*.py"),
    *("tests/course/*.py", "tests/notebooks/*.py", "tests/browser/*.py"),
    *("tests/benchmarks/**/*", "tests/reference/**/*"),
)
#: the folders in which nothing else may lie
LOOKED_AT = (
    "dbnlib/**/*",
    "exercises/*.py",
    "exercises/grading/**/*",
    "notebooks/**/*",
    "tests/**/*",
)
#: what tests/exercises is: right and wrong answers to all units
ANSWERS = "tests/exercises/"
SKIPPED = (".", "__pycache__")

SETUP = """\
#!/usr/bin/env bash
# Installs the course, once, when the autograder is built.
set -euo pipefail
apt-get update
apt-get install -y python3 python3-venv
python3 -m venv /opt/uv
/opt/uv/bin/pip install uv
cd "${AUTOGRADER:-/autograder}/source/course"
/opt/uv/bin/uv sync --no-default-groups --group test
"""

RUN = """\
#!/usr/bin/env bash
# Grades one submission. It ends in an error, and so without a mark, where the grader itself fails.
set -uo pipefail
here="${AUTOGRADER:-/autograder}"
# Started as root, the submission's code runs as another user, for whom all of this is closed, and
# so are the folders where it could leave something for the code of the next submission.
mkdir -p "$here/results"
chmod go-rwx "$here" "$here/source" "$here/submission" "$here/results"
if [ "$(id -u)" = 0 ]; then
  for folder in ${SHARED_FOLDERS:-/tmp /var/tmp /dev/shm}; do
    if [ -d "$folder" ]; then chmod o-rwx "$folder"; fi
  done
fi
rm -f "$here/results/results.json"
marks="$(mktemp -d)"
cd "$here/source/course"
# A container may lack Landlock. Where the code runs as another user it can be done without.
level=landlock
if [ "$(id -u)" = 0 ]; then level=no-privilege; fi
.venv/bin/course grade "$here/submission" --one --unit UNIT --out "$marks" --jobs 1 \\
  --confine "$level"
if [ ! -f "$marks/students/submission/results.json" ]; then
  echo "The grader itself failed. There is no mark; run the autograder again."
  exit 1
fi
cp "$marks/students/submission/results.json" "$here/results/results.json"
"""


def run(units: list[str], *, out: Path, gradescope: bool = False, root: Path = ROOT) -> str:
    """Make the copy or the autograders in a new folder; returns a sentence that says what it is.

    Raises
    ------
    UsageError
        when a unit is not known, or the folder holds something already
    CourseError
        when hidden tests cannot be taken out of a unit for certain, or a file lies where only the
        course's own may
    """
    chosen = [find_unit(name, root) for name in units]
    out = out.absolute()  # before Python 3.12 a temporary folder's path is as relative as its `dir`
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already; name a new folder")
    if root.resolve() in out.resolve().parents and "dbnlib" in out.resolve().parts:
        raise UsageError(f"{out} lies in the library; name another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".release-", dir=out.parent) as beside:
        made = Path(beside, "made")
        made.mkdir()
        if gradescope:
            for unit in chosen:
                make_autograder(unit, made / f"autograder_{unit.module}.zip")
            sentence = (
                "Upload the zips as they are; they hold hidden tests and are not for students"
            )
        else:
            n_hidden = make_copy(chosen, made, root)
            sentence = f"A copy for students, without {n_hidden} hidden tests"
        if out.exists():
            out.rmdir()
        made.rename(out)
        out.chmod(0o755)
    numbers = ", ".join(unit.number for unit in chosen)
    return f"{sentence}: {out} (unit {numbers})"


# ---- the students' copy


def make_copy(units: list[Unit], folder: Path, root: Path) -> int:
    """Fill the folder for students; returns how many tests were left out."""
    ours = listed(root, (*SHARED, *FOR_STUDENTS, *(name for u in units for name in files_of(u))))
    everything = listed(root, (*LOOKED_AT, *(f"exercises/{u.folder.name}/**/*" for u in units)))
    others = [name for name in everything if name not in ours and not name.startswith(ANSWERS)]
    if others:
        raise CourseError(
            f"{others[0]} is not one of the course's files: put it elsewhere, and release again. "
            "What lies beside the course's files could be answers or marks"
        )
    copy(ours, root, folder)
    n_hidden = 0
    for unit in units:
        grader = folder / unit.grader.relative_to(root)
        text, n = without_hidden_tests(unit.grader.read_text(encoding="utf-8"))
        grader.write_text(text, encoding="utf-8")
        n_hidden += n
    for unit in all_units(folder):
        check_copy(unit)
    for left in list(folder.rglob("__pycache__")):
        shutil.rmtree(left)
    return n_hidden


def files_of(unit: Unit) -> list[str]:
    """The three files of a unit."""
    files = (unit.folder / "task.md", unit.stub, unit.grader)
    return [file.relative_to(unit.root).as_posix() for file in files]


def check_copy(unit: Unit) -> None:
    """CourseError unless a student sees no hidden test in the copy, and no answer."""
    seen = grade_file(unit, unit.stub)
    hidden = [mark.test for mark in seen.marks if mark.visibility != "visible"]
    answered = [mark.function for mark in seen.marks if mark.status != NOT_ATTEMPTED]
    if hidden:
        reason = f"the test {hidden[0]} would be seen"
    elif answered:
        reason = f"{unit.stub.name} is no stub: {answered[0]} does something; take the course's own"
    elif not seen.marks:
        reason = "no test is left"
    else:
        return
    raise CourseError(f"unit {unit.number} cannot be released: {reason}")


def listed(root: Path, patterns: Iterable[str]) -> list[str]:
    """The ordinary files that match, without what tools leave behind, and without links."""
    found = dict.fromkeys(name for pattern in patterns for name in names(root, pattern))
    return [
        name
        for name in found
        if (root / name).is_file()
        and not (root / name).is_symlink()
        and (name == ".gitignore" or not any(p.startswith(SKIPPED) for p in name.split("/")))
    ]


def copy(files: list[str], root: Path, folder: Path) -> None:
    """Copy files with their modes, and nothing else about them."""
    for name in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, target)


# ---- Gradescope


def make_autograder(unit: Unit, path: Path) -> None:
    """Write the zip: the two scripts, and the course with this unit below course/."""
    patterns = (*SHARED, *files_of(unit), f"notebooks/{unit.number}_*.ipynb")
    scripts = {"setup.sh": SETUP, "run_autograder": RUN.replace("UNIT", unit.number)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in scripts.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755) << 16
            archive.writestr(entry, text)
        for name in listed(unit.root, patterns):
            archive.write(unit.root / name, f"course/{name}")
