"""Grading many files at once: on this machine's cores, or on a cluster by Dask.

A task is plain data, so that it can travel; what comes back is a report as JSON. Whatever happens
in a task comes back as a fault of the grader, and the batch goes on.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import joblib

from exercises.common import ROOT, CourseError, MissingError, UsageError
from exercises.grading.check import grade_file
from exercises.grading.units import Unit, find_unit

#: how often a student is graded when the grader fails
TRIES = 2
#: seconds between two looks at whether the batch still runs
LOOK_SECONDS = 0.5


class Task(NamedTuple):
    """One file to be graded: whose, which unit's, what, and how.

    `root` is where the course lies, None for wherever it is installed. `parent` is the process of
    the batch on this machine, without which a task is in vain.
    """

    name: str
    unit: str
    source: bytes | None
    seed: int
    confine: str
    root: Path | None = None
    parent: int | None = None


class Result(NamedTuple):
    """What came of a task: the report as JSON, else the fault."""

    name: str
    report: str | None
    fault: str


def digest(contents: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(contents).hexdigest()


def grader_digest(unit: Unit, judges: Iterable[Path]) -> str:
    """A checksum of all that a mark depends on: the unit's tests, and the modules that judge."""
    files = (unit.grader, *sorted(judges))
    return digest("".join(digest(file.read_bytes()) for file in files).encode())


def judging_modules() -> list[Path]:
    """The grading engine and the library, which is its oracle."""
    return [*Path(__file__).parent.glob("*.py"), *(ROOT / "dbnlib").glob("*.py")]


@functools.cache
def end_with(parent: int) -> None:
    """From now on, end this process when the one that started it, `parent`, has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def grade_source(task: Task) -> Result:
    """Grade one student, here or on another machine."""
    if task.parent is not None and task.parent == os.getppid():
        end_with(task.parent)
    if task.source is None:
        return Result(task.name, None, "the copy was changed while it waited")
    found, fault = None, ""
    for _ in range(TRIES):
        try:
            unit = find_unit(task.unit, task.root or ROOT)
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, unit.stub.name)
                file.write_bytes(task.source)
                found = grade_file(unit, file, seed=task.seed, confine=task.confine)
            found.file = unit.stub.name
        except Exception as error:  # whatever it is, it is no student's doing
            fault = f"{type(error).__name__}: {error}"
        if found is not None and found.sound:
            break
    return Result(task.name, None if found is None else found.to_json(), fault)


def in_parallel(
    tasks: Iterable[Task], *, jobs: int = 0, backend: str = "loky", client: object | None = None
) -> Iterator[Result]:
    """The results as they come; a few tasks are made ahead at a time, so that memory stays flat."""
    with contextlib.ExitStack() as stack:
        if client is not None:
            stack.enter_context(client)
        stack.enter_context(joblib.parallel_config(backend))
        parallel = joblib.Parallel(
            n_jobs=jobs or -1,
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="2*n_jobs",
        )
        yield from parallel(joblib.delayed(grade_source)(task) for task in tasks)


def connect(backend: str, scheduler: str | None) -> object | None:
    """The client of a Dask cluster, None for this machine."""
    if backend != "dask":
        if scheduler:
            raise UsageError("--scheduler is for `--backend dask`")
        return None
    if not scheduler:
        raise UsageError(
            "`--backend dask` wants the cluster's address: --scheduler tcp://HOST:PORT"
        )
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise MissingError(
            "`--backend dask` needs the package dask with its part distributed, which the course "
            "does not bring: install `dask[distributed]` here and on the cluster, where the course "
            "must be installed too; or leave --backend out"
        ) from None
    try:
        return Client(scheduler)
    except OSError as error:
        raise CourseError(f"no Dask scheduler answers at {scheduler}: {error}") from None
