"""`course check`: a learner's own file against a unit's grader, once or each time it is saved."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from exercises.common import BY_UV, ROOT, CourseError, MissingError, UsageError
from exercises.grading.report import NOT_ATTEMPTED, UnitReport
from exercises.grading.units import Unit, all_units, find_unit

#: seconds between two looks at the file with --watch
WATCH_SECONDS = 0.5
#: seconds after which a whole unit's grader is given up; each of its tests has a clock of its own
MOST_SECONDS = 1800
#: environment variables by which a run of pytest could be bent
FOREIGN = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")


def grade_file(
    unit: Unit,
    file: Path,
    *,
    seed: int = 0,
    confine: str = "process",
    collect_only: bool = False,
) -> UnitReport:
    """Run a unit's grader on a file, in a pytest of its own.

    Parameters
    ----------
    unit : whose grader
    file : the student's
    seed : from which the tests' inputs are drawn
    confine : the level of the sandbox below which nothing is run
    collect_only : run no test; the report has zero points, and the hints

    Raises
    ------
    MissingError
        when pytest is not installed
    CourseError
        when pytest cannot even say what there is to earn
    """
    if importlib.util.find_spec("pytest") is None:
        raise MissingError(
            f"pytest is not installed here; start the command as `{BY_UV} check`, which installs it"
        )
    with tempfile.TemporaryDirectory() as folder:
        marks = Path(folder, "marks.json")
        command = [
            *(sys.executable, "-I", "-m", "pytest", "-c", str(unit.root / "pyproject.toml")),
            *("--rootdir", str(unit.root), "-p", "no:cacheprovider", "-q", "--no-header"),
            *("--student", str(file), "--inputs-seed", str(seed), "--confine", confine),
            *("--marks", str(marks), *["--collect-only"] * collect_only, str(unit.grader)),
        ]
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        try:
            done = subprocess.run(
                command,
                cwd=unit.root,
                env=kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=MOST_SECONDS,
                check=False,
            )
            said = done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            said = b"it took too long"
        if not marks.is_file():
            raise CourseError(
                f"the grader of unit {unit.number} failed:\n{said.decode(errors='replace')[-3000:]}"
            )
        report = UnitReport.from_json(marks.read_text(encoding="utf-8"))
    report.unit, report.title, report.file = unit.number, unit.title, shown(file, unit.root)
    places = {name: unit.section(words) for name, words in report.see.items()}
    report.see = {name: f"“{title}” in {notebook}" for name, (notebook, title) in places.items()}
    return report


def shown(file: Path, root: Path) -> str:
    """A path from the course's folder where it lies in it."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def check(name: str, *, seed: int = 0, root: Path = ROOT) -> UnitReport:
    """The marks of the learner's file in one unit: the one in my-course/ if it is there.

    Parameters
    ----------
    name : the unit's number, such as '02'
    seed : from which the tests' inputs are drawn
    """
    unit = find_unit(str(name), root)
    return grade_file(unit, unit.learners_file, seed=seed)


def run(
    name: str | None = None,
    *,
    watch: bool = False,
    hint: list[str] | None = None,
    seed: int = 0,
    root: Path = ROOT,
) -> int:
    """What `course check` does: 0 where all is right or asked for, 1 where points are missing."""
    if name is None:
        if watch or hint:
            raise UsageError("--watch and --hint need a unit, as in `course check 02 --watch`")
        print(progress(root))
        return 0
    unit = find_unit(name, root)
    if hint and len(hint) > 2:
        raise UsageError("--hint wants a function, and perhaps a number: --hint energy 2")
    if hint:
        print(show_hint(unit, *hint))
        return 0
    if watch:
        for report in reports(unit, seed):
            start = "\033[2J\033[H" if sys.stdout.isatty() else ""
            print(f"{start}{report}\n\nWaiting for the file to change; Ctrl-C ends.", flush=True)
        return 0
    report = check(name, seed=seed, root=root)
    print(report)
    return 0 if report.sound and report.points == report.max_points else 1


def reports(unit: Unit, seed: int) -> Iterator[UnitReport]:
    """A report now, and one each time the learner's file is saved, until Ctrl-C."""
    seen = None
    try:
        while True:
            file = unit.learners_file
            state = (file, file.stat().st_mtime_ns, file.stat().st_size) if file.exists() else None
            if state is not None and state != seen:
                seen = state
                yield grade_file(unit, file, seed=seed)
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return


def progress(root: Path = ROOT) -> str:
    """One line a unit: points, and how many of its functions are attempted."""
    units = all_units(root)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        found = list(pool.map(lambda unit: grade_file(unit, unit.learners_file), units))
    width = max(len(report.title) for report in found)
    lines = []
    for report in found:
        states = [status for _, status, _, _ in report.functions()]
        begun = sum(status != NOT_ATTEMPTED for status in states)
        points = f"{report.points:g}/{report.max_points:g}"
        fault = "" if report.sound else "; the grader did not come to its end"
        lines.append(
            f"  {report.unit}  {report.title:<{width}}  {points:>7}  "
            f"{begun} of {len(states)} functions attempted{fault}"
        )
    points = sum(report.points for report in found)
    most = sum(report.max_points for report in found)
    files = {Path(report.file).parts[0] for report in found}
    where = f"Checked: the files in {' and '.join(sorted(files))}/"
    return "\n".join([where, "", *lines, "", f"  {points:g} of {most:g} points"])


def show_hint(unit: Unit, function: str, step: str = "1") -> str:
    """One of a function's hints; UsageError where there is no such function or step."""
    hints = grade_file(unit, unit.learners_file, collect_only=True).hints
    if function not in hints:
        known = ", ".join(hints)
        raise UsageError(f"there is no hint for {function!r}; there are some for {known}")
    found = hints[function]
    if not step.isdigit() or not 1 <= int(step) <= len(found):
        raise UsageError(f"{function} has the hints 1 to {len(found)}, got {step!r}")
    number = int(step)
    text = f"Hint {number} of {len(found)} for {function}: {found[number - 1]}"
    if number < len(found):
        text += f"\nThe next one: course check {unit.number} --hint {function} {number + 1}"
    return text
