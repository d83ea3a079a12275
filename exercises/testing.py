"""`course test`: one run of pytest over the tests and, by nbval, over the course's notebooks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from exercises.common import ROOT, CourseError, MissingError, batch_environment, names

#: the tests in a real browser, which run only when asked for
BROWSER = "tests/browser"
#: seconds that one notebook cell may take
CELL_SECONDS = 120
#: more processes than this gain nothing: one module or notebook is never split
MOST_WORKERS = 4

#: pytest's own exit codes → ours; a run without any test proves nothing
EXIT_CODES = {0: 0, 4: 2}


def run(
    *,
    quick: bool = False,
    library: bool = False,
    notebooks: bool = False,
    browser: bool = False,
    keyword: str | None = None,
    workers: int | None = None,
    extra: Sequence[str] = (),
    root: Path = ROOT,
) -> int:
    """Run the tests and return 0 if all passed, 1 if not, 2 if pytest was called wrongly.

    Parameters
    ----------
    quick : leave out the notebooks and the tests marked slow
    library : leave out the notebooks
    notebooks : leave out everything but the notebooks
    browser : only the notebooks in a real browser, which no other run includes
    keyword : only tests with this in their name; then notebooks run only if asked for
    workers : processes at once, 0 for none but this one's child; None takes one a core, at most 4
    extra : arguments for pytest; paths among them replace the usual ones

    Raises
    ------
    MissingError
        when there are no tests in `root`, or no browser or no Playwright where they are wanted
    CourseError
        when there are no notebooks to test
    KeyboardInterrupt
        on Ctrl-C, once pytest has ended
    """
    if not (root / "tests").is_dir():
        raise MissingError(f"there are no tests in {root}; take a whole copy of the course")
    if browser:
        check_browser()
    with_notebooks = notebooks or not (quick or library or keyword or browser)
    usual = ["tests"] * (not notebooks) + ["notebooks"] * with_notebooks
    if browser:
        usual, workers = [BROWSER], 0
    named = [word for word in extra if is_path(word, root)]
    if not named and with_notebooks and not names(root, "notebooks/*.ipynb"):
        raise CourseError(
            f"there are no notebooks in {root / 'notebooks'}, and a course without them is not "
            "sound; `course test --library` tests the rest"
        )
    command = pytest_command(named or usual, quick, keyword, workers)
    words = [*command, *([] if named else usual), *extra]
    pytest = subprocess.Popen(words, cwd=root, env=batch_environment())
    try:
        code = pytest.wait()
    except KeyboardInterrupt:  # the terminal told pytest too, which now sums up
        pytest.wait()
        raise
    return EXIT_CODES.get(code, 1)


def pytest_command(
    paths: Sequence[str], quick: bool, keyword: str | None, workers: int | None
) -> list[str]:
    """The call of pytest, but for the paths and what follows.

    Notebooks among the paths are compared strictly, in the kernel of this environment.
    """
    workers = cores() if workers is None else workers
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "--rootdir=."]
    if not any(path.startswith(BROWSER) for path in paths):
        command.append(f"--ignore={BROWSER}")
    if any(path.startswith("notebooks") for path in paths):
        command += ["--nbval", "--nbval-current-env", f"--nbval-cell-timeout={CELL_SECONDS}"]
    else:
        command += ["-p", "no:nbval"]  # takes seconds to load
    if workers > 1:
        # A notebook's cells, and a module's tests, stay together and in order.
        command += ["-n", str(workers), "--dist", "loadscope"]
    if quick:
        command += ["-m", "not slow"]
    if keyword:
        command += ["-k", keyword]
    return command


def check_browser() -> None:
    """Raise MissingError, with what to do, unless Playwright and Chromium are there."""
    if importlib.util.find_spec("playwright") is None:
        raise MissingError(
            "Playwright is not installed here; it is in a group of its own: "
            "`python3 -m uv run --group browser course test --browser`"
        )
    if chromium() is None:
        raise MissingError(
            "no Chromium was found; install it by your system (on Debian `apt install chromium`), "
            "or name a Chrome in the environment variable CHROMIUM"
        )


def chromium() -> str | None:
    """The program of a Chromium or Chrome of this system, or the one that CHROMIUM names."""
    usual = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, usual)), None)


def is_path(word: str, root: Path) -> bool:
    """Whether an argument names a file or a test in one, such as tests/test_style.py::test_a."""
    return bool(word) and not word.startswith("-") and (root / word.split("::")[0]).exists()


def cores() -> int:
    """How many processes to use: the cores that we may use, at most `MOST_WORKERS`."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(mine or 1, MOST_WORKERS)
