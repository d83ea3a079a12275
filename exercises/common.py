"""What all commands share: where the course lies, errors with an exit code, the kernel to use."""

from __future__ import annotations

import os
from pathlib import Path

#: the course's own folder: the one that holds notebooks/, dbnlib/, exercises/ and tests/
ROOT = Path(__file__).resolve().parent.parent

#: how to run any command in an environment that has everything
BY_UV = "python3 -m uv run course"


class CourseError(Exception):
    """A command failed; the message says why and what to do."""

    code = 1


class UsageError(CourseError):
    """A command was called with words that do not fit."""

    code = 2


class MissingError(CourseError):
    """A program, a package or a part of the course is not there."""

    code = 3


def kernel_environment() -> dict[str, str]:
    """Environment variables under which Jupyter takes the python3 kernel of this environment.

    A user may have a kernel of the same name at home (from another project), a search path that
    comes first, or a plotting backend that draws nowhere. None of them may change the course.
    Notebooks import NumPy before dbnlib, so what that sets for OpenBLAS is set here.
    """
    foreign = ("JUPYTER_PATH", "MPLBACKEND")
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    blas = {"OPENBLAS_THREAD_TIMEOUT": "16"}
    return blas | kept | {"JUPYTER_PREFER_ENV_PATH": "1"}


def batch_environment() -> dict[str, str]:
    """The same where nobody watches: no progress bars, and one thread a process unless told.

    Processes share the cores, and small matrices gain nothing from a second thread.
    """
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
    return threads | kernel_environment() | {"TQDM_DISABLE": "1"}


def names(root: Path, pattern: str) -> list[str]:
    """What matches `pattern` below `root`, as sorted paths with forward slashes."""
    return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
