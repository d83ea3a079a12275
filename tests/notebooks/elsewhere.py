"""Run all notebooks as on other machines: other OpenBLAS kernels, one and two threads, Pythons.

    python3 -m uv run python -m tests.notebooks.elsewhere                   # this Python
    python3 -m uv run python -m tests.notebooks.elsewhere --python 3.11 3.13

A Python is named by its version, or by the path of its program.

Sums of products come out in other last digits on other processors, and training carries them on.
What the notebooks print must hold all the same: each run is nbval's strict comparison with the
stored outputs. OpenBLAS takes the kernel that OPENBLAS_CORETYPE names, so that one processor can
stand in for three.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: OpenBLAS kernel → what the processor must be able to do, as Linux names it
KERNELS = {"Prescott": "pni", "Haswell": "avx2", "SkylakeX": "avx512f"}
THREADS = (1, 2)


def abilities() -> set[str]:
    """The flags of this processor; empty where the system does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    lines = [line for line in text.splitlines() if line.startswith("flags")]
    return set(lines[0].split(":")[1].split()) if lines else set()


def runs(pythons: list[str]) -> Iterator[tuple[str, str, int, str]]:
    """Every Python, kernel and number of threads, and why a run must be left out."""
    flags = abilities()
    for python, (kernel, needed), threads in product(pythons, KERNELS.items(), THREADS):
        missing = "" if needed in flags else f"this processor has no {needed}"
        yield python, kernel, threads, missing


def command(python: str) -> list[str]:
    """The notebooks' test in this environment, or in one of its own with another Python."""
    test = ["course", "test", "--notebooks"]
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if python == here:
        return [sys.executable, "-m", "exercises.course", *test[1:]]
    # uv tells what it runs where it is itself; its environments do not hold it
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        sys.exit(f"Python {python} needs uv: put `python3 -m uv run` before this command")
    return [uv, "run", "--isolated", "--python", python, *test]


def main() -> int:
    """Run them one after the other, print a line each; 1 where one failed."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", nargs="+", default=[here], metavar="X.Y", help=f"or: {here}")
    failed = 0
    for python, kernel, threads, missing in runs(parser.parse_args().python):
        what = f"Python {python}, {kernel}, {threads} thread{'s' * (threads > 1)}"
        if missing:
            print(f"{what}: left out, {missing}", flush=True)
            continue
        variables = {"OPENBLAS_CORETYPE": kernel, "OPENBLAS_NUM_THREADS": str(threads)}
        began = time.perf_counter()
        done = subprocess.run(
            command(python),
            cwd=ROOT,
            env=os.environ | variables,
            capture_output=True,
            encoding="utf-8",
        )
        took = time.perf_counter() - began
        last = (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1].strip("= ")
        print(f"{what}: {last} ({took:.0f} s)", flush=True)
        if done.returncode:
            failed += 1
            print(done.stdout[-4000:], flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
