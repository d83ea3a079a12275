"""`course grade`: a folder of submissions against a unit's grader, in parallel, and to be resumed.

    read and freeze all submissions  →  draw the seed  →  grade those that need it  →  sum up

What was handed in is copied first; what is graded is the copy. The seed of the inputs is drawn
when all copies are made, so that nothing handed in can know them. Each student has a folder in
OUT/students with the record, the copy, and the marks in the forms of the platforms.
"""

from __future__ import annotations

import datetime
import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from exercises import workspace
from exercises.common import ROOT, CourseError, UsageError
from exercises.grading import platforms, similarity, summary
from exercises.grading.archives import Refused
from exercises.grading.batch import (
    Result,
    Task,
    connect,
    digest,
    grader_digest,
    in_parallel,
    judging_modules,
)
from exercises.grading.check import grade_file
from exercises.grading.client import GraderFault, Worker
from exercises.grading.names import plain
from exercises.grading.record import BEGUN, BY_FAULT, GRADED, REFUSED, Record
from exercises.grading.report import UnitReport
from exercises.grading.sandbox import LEVELS
from exercises.grading.submissions import Entry, find_entries, read_submission
from exercises.grading.units import Unit, find_unit

#: below this, a submission could read answers from the disk, and other students' files
DEFAULT_LEVEL = "landlock"
#: bits of a seed that the system draws: whole in every program that reads JSON
SEED_BITS = 48


def run(
    submissions: Path,
    *,
    unit: str,
    out: Path,
    jobs: int = 0,
    backend: str = "loky",
    scheduler: str | None = None,
    seed: int | None = None,
    confine: str = DEFAULT_LEVEL,
    again: bool = False,
    one: bool = False,
    identity: Mapping[str, str] | None = None,
    root: Path = ROOT,
) -> int:
    """Grade, write all files, and print where they are: 0, or 1 where the grader failed somewhere.

    Parameters
    ----------
    submissions : a folder with a folder, a Python file or a zip for each student
    unit : its number
    out : the folder for the marks; what is finished in it is not graded again
    jobs : students at once; 0 takes one a core
    backend, scheduler : 'loky' for this machine, 'dask' for a cluster at the scheduler's address
    seed : of the inputs; None draws one from the system
    confine : the level of the sandbox below which nothing is run
    again : grade everyone, finished or not
    one : `submissions` is itself the submission of one student
    identity : how Classroom 50 calls that submission, see `platforms.classroom50`

    Raises
    ------
    UsageError
        when there is nothing to grade, or marks and submissions lie in one another
    CourseError
        when the sandbox does not reach the level, or the grader cannot be started at all
    MissingError
        when the backend is not installed
    """
    found = find_unit(unit, root)
    entries = find_entries(submissions, one=one)
    check_apart(submissions, out)
    client = connect(backend, scheduler)
    if client is None:
        check_level(confine)
    blank = grade_file(found, found.stub, collect_only=True)
    blank.file = found.stub.name
    if not blank.marks:
        raise CourseError(f"the grader of unit {found.number} has no test with a mark")
    folders = {entry.folder: out / "students" / entry.folder for entry in entries}
    grader = grader_digest(found, judging_modules())
    records = {
        entry.folder: freeze(entry, folders[entry.folder], found, blank, grader)
        for entry in entries
    }
    seed = secrets.randbits(SEED_BITS) if seed is None else seed
    waiting = sort_out(records, folders, confine, again)
    for name in waiting:
        begin(records[name], seed, folders[name])
    parent = os.getpid() if client is None else None
    tasks = (
        task(found, folders[name], records[name], seed, confine)._replace(parent=parent)
        for name in waiting
    )
    with tqdm(total=len(waiting), unit="student", disable=None, file=sys.stderr) as bar:
        results = in_parallel(tasks, jobs=jobs, backend=backend, client=client)
        for name, report, fault in until_it_breaks(results):
            settle(records[name], report, fault)
            finish(records[name], folders[name], identity)
            bar.update()
    for name, record in records.items():
        if record.outcome == BEGUN:
            record.fail("the process that graded it has ended")
        finish(record, folders[name], identity)
    everyone = list(records.values())
    pairs, partly = look_for_alike(records, folders, found)
    summary.write_all(blank, everyone, pairs, out, partly)
    print(last_words(everyone, out))
    return int(any(record.outcome == BY_FAULT for record in everyone))


# ---- before


def check_apart(submissions: Path, out: Path) -> None:
    """UsageError where the marks would be graded, or submissions overwritten."""
    theirs, ours = submissions.resolve(), out.resolve()
    if theirs == ours or theirs in ours.parents or ours in theirs.parents:
        raise UsageError(f"{submissions} and {out} must not lie in one another; choose another out")


def check_level(confine: str) -> None:
    """CourseError where this machine confines a student's code less than asked for."""
    try:
        Worker(level=LEVELS[confine]).close()
    except GraderFault as fault:
        raise CourseError(
            f"{fault}\nMarks from a machine that confines less can be forged. To allow it all the "
            f"same, name a lower level: --confine {' or '.join(lower(confine)) or 'process'}"
        ) from None


def lower(confine: str) -> list[str]:
    """The levels below one."""
    return [name for name, level in LEVELS.items() if level < LEVELS[confine]]


def freeze(entry: Entry, folder: Path, unit: Unit, blank: UnitReport, grader: str) -> Record:
    """Copy what counts into the student's folder; the record says if there is nothing."""
    record = Record(
        student=entry.student,
        entry=plain(entry.path.name),
        digest="",
        grader=grader,
        outcome=BEGUN,
        report=UnitReport.from_json(blank.to_json()),
    )
    copy = folder / unit.stub.name
    try:
        found = read_submission(entry.path, unit.stub.name, unit.stub.read_bytes())
    except Refused as reason:
        record.refuse(str(reason))
        record.digest = digest(record.message.encode())
        copy.unlink(missing_ok=True)
        return record
    record.note = found.note
    record.digest = digest(found.source)
    if not copy.is_file() or copy.read_bytes() != found.source:
        workspace.write(copy, found.source)
    return record


def is_finished(kept: Record | None, now: Record, confine: str) -> bool:
    """Whether the file was graded already, by the same grader, as confined, and to the end."""
    return (
        kept is not None
        and kept.outcome == GRADED
        and LEVELS.get(kept.report.level, LEVELS[confine]) >= LEVELS[confine]
        and (kept.digest, kept.grader) == (now.digest, now.grader)
        and [mark.test for mark in kept.report.marks] == [mark.test for mark in now.report.marks]
    )


def sort_out(
    records: dict[str, Record], folders: Mapping[str, Path], confine: str, again: bool
) -> list[str]:
    """Whose turn it is; the others' finished records take the place of the empty ones."""
    waiting = []
    for name, record in records.items():
        kept = Record.read(folders[name])
        if kept is not None and kept.digest == record.digest:
            record.graded_at = kept.graded_at
        if record.outcome != BEGUN:
            continue
        if not again and is_finished(kept, record, confine):
            records[name] = replace(kept, student=record.student, entry=record.entry)
        else:
            waiting.append(name)
    return waiting


def begin(record: Record, seed: int, folder: Path) -> None:
    """A record without points, and no mark of an earlier file beside it."""
    record.report.seed, record.graded_at = seed, ""
    record.write(folder)
    platforms.remove_marks(folder)


# ---- each student


def task(unit: Unit, folder: Path, record: Record, seed: int, confine: str) -> Task:
    """What there is to do; the copy is read when its turn comes."""
    source = (folder / unit.stub.name).read_bytes()
    unchanged = digest(source) == record.digest
    # Another machine of a cluster finds the course where it is installed there.
    root = None if unit.root == ROOT else unit.root
    return Task(folder.name, unit.number, source if unchanged else None, seed, confine, root)


def until_it_breaks(results: Iterable[Result]) -> Iterator[Result]:
    """The results; where the pool of processes breaks, those that it has given by then."""
    try:
        yield from results
    except Exception as error:
        print(f"The batch broke off: {type(error).__name__}: {error}", file=sys.stderr)


def settle(record: Record, report: str | None, fault: str) -> None:
    """What came back becomes the record's outcome."""
    if report is None:
        record.fail(fault or "the grader gave no report")
    else:
        record.accept(UnitReport.from_json(report))


def finish(record: Record, folder: Path, identity: Mapping[str, str] | None) -> None:
    """Write all of one student's files, the record last."""
    if not record.graded_at:
        now = datetime.datetime.now(datetime.UTC)
        record.graded_at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    platforms.write_all(record, folder, identity)
    record.write(folder)


# ---- after


def look_for_alike(
    records: Mapping[str, Record], folders: Mapping[str, Path], unit: Unit
) -> tuple[list[similarity.Pair], set[str]]:
    """Sources that are alike, among those that were not refused, and who has too long a one."""
    partly = set()

    def sources() -> Iterator[tuple[str, bytes]]:
        for name, record in records.items():
            if record.outcome != REFUSED:
                source = (folders[name] / unit.stub.name).read_bytes()
                if similarity.is_too_long(source):
                    partly.add(record.student)
                yield record.student, source

    library = similarity.library_sources(unit.root)
    pairs = similarity.alike(sources(), given=[unit.stub.read_bytes()], library=library)
    return pairs, partly


def last_words(records: list[Record], out: Path) -> str:
    """What was done, and where to read on."""
    counts = {
        outcome: sum(r.outcome == outcome for r in records)
        for outcome in (GRADED, REFUSED, BY_FAULT)
    }
    lines = [
        f"{len(records)} submission{'s' * (len(records) != 1)}: {counts[GRADED]} graded, "
        f"{counts[REFUSED]} refused, "
        f"{counts[BY_FAULT]} without a mark by a fault of the grader",
        f"Read {out / 'summary.md'}; the marks are in {out / 'marks.csv'}",
    ]
    if counts[BY_FAULT]:
        lines.append("Run the same command again to grade those without a mark.")
    return "\n".join(lines)
