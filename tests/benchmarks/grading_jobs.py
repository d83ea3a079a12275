"""A job about grading: a class of 300, a tenth of it hostile."""

from __future__ import annotations

import csv
import itertools
import resource
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from dbnlib.progress import bar
from tests.benchmarks.jobs import Found, Line, Scale, job
from tests.exercises.bank import entries

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "exercises" / "hostile" / "corpus.toml"
UNIT = "02"
#: every so many submissions one is hostile
HOSTILE_EACH = 10
#: joins a hostile program, which answers `answer(x)`, to a function of the unit
JOINT = "\n\ndef hidden_mean(v, W, c):\n    return answer(v)\n"


def submissions(folder: Path, n: int, secret: Path) -> None:
    """n students' folders: answers of the bank by turns, and each tenth a hostile one."""
    honest = [entry.source for entry in entries() if entry.unit == UNIT]
    reference = honest[0]
    cases = tomllib.loads(CORPUS.read_text(encoding="utf-8")).values()
    places = {"root": ROOT, "secret": secret, "marks": secret, "grader": 1, "port": 9}
    hostile = []
    for case in cases:
        code = case["code"]
        for word, value in places.items():
            code = code.replace(f"{{{word}}}", str(value))
        hostile.append(f"{reference}\n\n{code}{JOINT}")
    honest, hostile = itertools.cycle(honest), itertools.cycle(hostile)
    for number in range(n):
        place = folder / f"student_{number:03d}"
        place.mkdir(parents=True)
        source = next(hostile if number % HOSTILE_EACH == HOSTILE_EACH - 1 else honest)
        (place / f"unit_{UNIT}.py").write_text(source, encoding="utf-8")


def grade(n: int) -> tuple[float, int]:
    """Seconds for n submissions by `course grade`, and how many got marks."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        secret = work / "secret.txt"
        secret.write_text("nobody's business", encoding="utf-8")
        submissions(work / "in", n, secret)
        command = [sys.executable, "-m", "exercises.course", "grade", str(work / "in")]
        command += ["--unit", UNIT, "--out", str(work / "out"), "--seed", "0"]
        began = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
        took = time.perf_counter() - began
        if done.returncode not in (0, 1):
            raise RuntimeError(f"course grade ended with {done.returncode}:\n{done.stderr}")
        (table,) = (work / "out").glob("*.csv")
        with table.open(encoding="utf-8", newline="") as file:
            return took, len(list(csv.DictReader(file)))


def largest_child() -> float:
    """Peak memory of the largest process that this one has had below it, in MB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000


@job(
    "Grading a class of 300",
    f"`course grade SUBMISSIONS --unit {UNIT} --out MARKS`, as many processes as cores: answers of "
    "the bank by turns, each tenth submission from the hostile corpus.",
    apart=True,
)
def grading(scale: Scale) -> Found:
    """Wall time, and whether memory stays flat."""
    small, large = {"full": (60, 300), "quick": (4, 20)}.get(scale.name, (1, 2))
    peaks = []
    with bar(small + large, "grading", "submission") as shown:
        for n in (small, large):
            seconds, marked = grade(n)
            if marked != n:
                raise RuntimeError(f"{n} submissions, but marks for {marked}")
            peaks.append(largest_child())
            shown.update(n)
    lines = [
        Line(f"{large} submissions", seconds, "s"),
        Line("a submission", seconds / large, "s"),
        Line(f"largest process, with {large} over with {small}", peaks[1] / peaks[0], at_most=1.2),
    ]
    return Found(lines)
