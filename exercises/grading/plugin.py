"""The pytest plugin that makes a unit's tests its grader: markers, fixtures, and the report.

It does nothing to tests without the marker `exercise`. Loaded by pyproject.toml.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from exercises.grading import report as r
from exercises.grading.client import Worker
from exercises.grading.sandbox import LEVELS, hide_memory
from exercises.grading.student import (
    NotAttempted,
    NotCounted,
    Student,
    StudentError,
    Untouched,
)
from exercises.grading.untouched import fingerprint
from exercises.grading.wording import clean

VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")
MARKER = (
    "exercise(function, points=1, visibility='visible', hints=(), see='', seconds=10, after=''): "
    "a test of a unit's grader; see exercises/grading/__init__.py"
)
COLLECTOR = pytest.StashKey["Collector"]()


def exercise(
    function: str,
    *,
    points: float = 1,
    visibility: str = "visible",
    hints: tuple[str, ...] = (),
    see: str = "",
    seconds: float = 10.0,
    after: str = "",
) -> dict:
    """The marker's arguments as a dict; TypeError or ValueError where they do not fit."""
    if visibility not in VISIBILITIES:
        raise ValueError(f"visibility must be one of {', '.join(VISIBILITIES)}, got {visibility!r}")
    if points < 0 or seconds <= 0:
        raise ValueError("points must not be negative, and seconds must be positive")
    return locals()


def marker(item: pytest.Item) -> dict | None:
    """What is declared on a test, None where it is no exercise's."""
    found = item.get_closest_marker("exercise")
    return None if found is None else exercise(*found.args, **found.kwargs)


def check_order(item: pytest.Item) -> None:
    """UsageError unless the test that this one comes `after` is of the same function, and above."""
    declared = marker(item)
    if declared is None or not declared["after"]:
        return
    before = getattr(item.module, declared["after"], None)
    marks = [mark for mark in getattr(before, "pytestmark", ()) if mark.name == "exercise"]
    same = [mark for mark in marks if mark.args == (declared["function"],)]
    if not same or before.__code__.co_firstlineno >= item.function.__code__.co_firstlineno:
        raise pytest.UsageError(
            f"{item.name} comes after={declared['after']!r}, which must be a test above it, and of "
            f"the same function, {declared['function']}"
        )


def is_untouched(item: pytest.Item, function: str, error: BaseException | None) -> bool:
    """Whether a wrong answer is that of a function as it was handed out, with an error in it.

    A grader of such functions has a dict HANDED_OUT: name → `untouched.fingerprint`.
    """
    handed_out = getattr(item.module, "HANDED_OUT", {}).get(function)
    judged = isinstance(error, StudentError) and error.kind == "wrong"
    if not handed_out or not judged:
        return False
    return fingerprint(item.funcargs["student"].source, function) == handed_out


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options by which `course check` and `course grade` call."""
    group = parser.getgroup("exercises", "the course's exercises")
    group.addoption("--student", type=Path, metavar="FILE", help="the student's file to look at")
    group.addoption("--inputs-seed", type=int, default=0, metavar="N", help="seed of the inputs")
    group.addoption(
        "--confine", choices=list(LEVELS), default="process", help="refuse a lower level than this"
    )
    group.addoption("--only", metavar="FUNCTION", help="only the tests of this function")
    group.addoption("--marks", type=Path, metavar="FILE", help="write the marks here, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known; a grader that is called for a student lets nobody look into it."""
    config.addinivalue_line("markers", MARKER)
    config.stash[COLLECTOR] = Collector(config.getoption("--marks"), config)
    if config.getoption("--student"):
        hide_memory()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of other functions, where only those of one are asked for."""
    only = config.getoption("--only")
    if only is not None:
        items[:] = [item for item in items if (marker(item) or {}).get("function") == only]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what there is to earn, and write it with zero points: a crash leaves that behind."""
    for item in session.items:
        check_order(item)
    session.config.stash[COLLECTOR].begin(session.items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """An answer may be of any size: what NumPy warns of there is no fault of the grader."""
    with np.errstate(**({} if marker(item) is None else {"all": "ignore"})):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo
) -> Iterator[pytest.TestReport]:
    """Put the message for the learner in the place of a traceback, and note the mark."""
    report = yield
    declared = marker(item)
    if declared is None:
        return report
    error = call.excinfo.value if call.excinfo else None
    if is_untouched(item, declared["function"], error):
        error = Untouched(declared["function"])
    if error is None and call.when == "call":
        error = item.config.stash[COLLECTOR].what_comes_first(item)
    if isinstance(error, (NotAttempted, NotCounted)):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, str(error))
    elif isinstance(error, AssertionError):
        report.longrepr = str(error)
    item.config.stash[COLLECTOR].note(item, call, error)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the marks."""
    session.config.stash[COLLECTOR].end(session.shouldstop or session.shouldfail)


@pytest.fixture
def student(request: pytest.FixtureRequest) -> Iterator[Student]:
    """The student's functions, in a worker of this test's own."""
    config = request.config
    tests = request.path
    path = config.getoption("--student") or tests.with_name(tests.name.removeprefix("test_"))
    collector = config.stash[COLLECTOR]
    student = Student(
        path,
        seconds=(marker(request.node) or {}).get("seconds", 10.0),
        level=LEVELS[config.getoption("--confine")],
        started=collector.started,
    )
    with student:
        yield student
    collector.printed(request.node, student.output)


@pytest.fixture
def inputs(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator for this test's inputs: another one for each test and each seed."""
    name = zlib.crc32(request.node.name.encode())
    return np.random.default_rng([request.config.getoption("--inputs-seed"), name])


class Collector:
    """Makes the report from what pytest says of each test."""

    def __init__(self, path: Path | None, config: pytest.Config):
        self.path = path
        self.report = r.UnitReport(unit="", seed=config.getoption("--inputs-seed"))
        self.marks: dict[str, r.Mark] = {}

    def begin(self, items: list[pytest.Item]) -> None:
        """A mark of zero for each test."""
        for item in items:
            declared = marker(item)
            if declared is None:
                continue
            function = declared["function"]
            first_line = (inspect.getdoc(item.obj) or item.name).split("\n\n")[0]
            self.marks[item.nodeid] = mark = r.Mark(
                test=item.name,
                claim=" ".join(first_line.split()),
                function=function,
                max_points=float(declared["points"]),
                visibility=declared["visibility"],
            )
            self.report.marks.append(mark)
            if declared["hints"]:
                self.report.hints[function] = list(declared["hints"])
            if declared["see"]:
                self.report.see[function] = declared["see"]
        self.write()

    def started(self, worker: Worker) -> None:
        """A worker runs; the lowest level of all is what counts."""
        lowest = LEVELS.get(self.report.level, worker.level)
        self.report.level = min(lowest, worker.level).label
        self.report.notes = list(dict.fromkeys([*self.report.notes, *worker.notes]))

    def what_comes_first(self, item: pytest.Item) -> NotCounted | None:
        """Why a test that is passed does not count: the one that it comes after is not."""
        first = (marker(item) or {}).get("after")
        path = item.nodeid.partition("::")[0]
        for nodeid, mark in self.marks.items():
            is_first = nodeid.startswith(f"{path}::") and mark.test.partition("[")[0] == first
            # One that has not run says nothing: another process of pytest's may have it.
            if is_first and mark.status not in (r.RIGHT, r.NOT_RUN):
                return NotCounted(mark)
        return None

    def printed(self, item: pytest.Item, output: str) -> None:
        """What the student's code printed in a test."""
        self.marks[item.nodeid].output = output

    def note(self, item: pytest.Item, call: pytest.CallInfo, error: BaseException | None) -> None:
        """Turn the end of a phase of a test into its mark."""
        mark = self.marks[item.nodeid]
        mark.seconds += call.duration
        if error is None:
            if call.when == "call":
                mark.status, mark.points = r.RIGHT, mark.max_points
            return
        mark.points = 0.0
        if isinstance(error, NotAttempted):
            mark.status, mark.kind, mark.message = r.NOT_ATTEMPTED, error.words, str(error)
        elif isinstance(error, NotCounted):
            mark.status, mark.kind, mark.message = r.NOT_COUNTED, r.NOT_COUNTED, str(error)
        elif isinstance(error, AssertionError) and call.when == "call":
            mark.status, mark.message = r.WRONG, str(error)
            mark.kind = error.kind if isinstance(error, StudentError) else "wrong"
            mark.misconception = getattr(error, "misconception", "")
        else:
            mark.status, mark.kind = r.FAULT, "fault"
            mark.message = clean(f"{type(error).__name__}: {error}", 2000)

    def end(self, stopped: object) -> None:
        """The report is complete unless pytest was stopped."""
        self.report.complete = not stopped
        self.write()

    def write(self) -> None:
        """To the file that was asked for, if any."""
        if self.path is not None and self.report.marks:
            self.report.write(self.path)
