"""`course bench`: run jobs, print what they found, write it where it was asked for."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from exercises.common import UsageError
from tests.benchmarks import report
from tests.benchmarks.jobs import FULL, JOBS, QUICK, Found, Scale

# Importing a module registers its jobs; the table has this order.
for module in ("rbm_jobs", "network_jobs", "chain_jobs", "cost_jobs", "grading_jobs"):
    import_module(f"tests.benchmarks.{module}")


def listing() -> str:
    """Names and titles of all jobs."""
    width = max(map(len, JOBS))
    return "\n".join(f"{job.name:{width}}  {job.title}" for job in JOBS.values())


def measure(names: Sequence[str], scale: Scale) -> dict[str, Found]:
    """Run jobs one after the other, printing each as it ends."""
    unknown = [name for name in names if name not in JOBS]
    if unknown:
        near = difflib.get_close_matches(unknown[0], JOBS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`course bench --list` names them"
        raise UsageError(f"there is no job {unknown[0]!r}; {hint}")
    chosen = [job for job in JOBS.values() if job.name in names or not (names or job.apart)]
    found = {}
    for number, job in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {job.name}", file=sys.stderr, flush=True)
        found[job.name] = job.run(scale)
        print(report.text({job.name: found[job.name]}), flush=True)
    return found


def run(
    *,
    full: bool = False,
    names: Sequence[str] = (),
    out: str | Path | None = None,
    store: bool = False,
) -> int:
    """Measure, print, and write where asked to; returns the exit code 0.

    A goal that is missed is said and is no failure: times are the machine's as well as ours.
    """
    scale = FULL if full else QUICK
    if store and not full:
        raise UsageError("the stored table is that of the full mode: add --full")
    words = ["--full"] * full
    words += [f"--job {name}" for name in names]
    found = measure(names, scale)
    recorded = report.record(found, scale, " ".join(["course bench", *words]))
    print(report.where(next(iter(recorded.values()))["run"]))
    if out is not None:
        print("\n".join(f"written: {path}" for path in report.write(recorded, Path(out))))
    if store:
        report.store(recorded)
    return 0
