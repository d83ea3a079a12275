"""Jobs about what use costs: growth with the size of the work, memory, import, notebooks."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dbnlib import CD, RBM, train_rbm
from dbnlib.progress import bar
from tests.benchmarks.jobs import Found, Line, Scale, job, race
from tests.benchmarks.rbm_jobs import N_VISIBLE, binary_rows

ROOT = Path(__file__).resolve().parents[2]
#: what grows → its sizes; the others stay at 10,000 rows, 500 hidden units, batch 100
GROWTH = {
    "rows": (5_000, 10_000, 20_000, 40_000, 80_000),
    "hidden units": (128, 256, 512, 1024, 2048, 4096),
    "rows in a minibatch": (10, 20, 50, 100, 200, 500, 1000),
}
QUICK_GROWTH = {
    "rows": (2_000, 4_000, 8_000),
    "hidden units": (128, 512, 1024),
    "rows in a minibatch": (10, 50, 100, 500),
}
TINY_GROWTH = {name: sizes[:2] for name, sizes in QUICK_GROWTH.items()}


def epoch(v: np.ndarray, n_hidden: int, batch_size: int, **more: Any) -> None:
    """One epoch of CD-1 with momentum and weight decay."""
    rng = np.random.default_rng(0)
    rbm = RBM.random(v.shape[1], n_hidden, rng)
    settings = {"epochs": 1, "momentum": 0.5, "weight_decay": 0.0002, "progress": False}
    train_rbm(rbm, v, rng=rng, gradient=CD(1), batch_size=batch_size, **settings, **more)


def steepness(points: Sequence[tuple[float, float]]) -> float:
    """The power by which the seconds grow with the size: 1 is linear."""
    size, seconds = np.log(np.array(points)).T
    return float(np.polyfit(size, seconds, 1)[0])


@job(
    "Cost as the work grows",
    "An epoch of CD-1, 784-500, batch 100, 10,000 rows, with one of the sizes changed; the fastest "
    "of the rounds. The power is that of size in a fit: 1 is linear.",
)
def growth(scale: Scale) -> Found:
    """Rows, hidden units, minibatches."""
    sizes = {"full": GROWTH, "quick": QUICK_GROWTH}.get(scale.name, TINY_GROWTH)
    usual = {"rows": 10_000 if scale.name == "full" else 2_000, "hidden units": 500}
    usual["rows in a minibatch"] = 100
    curves = {}
    rounds = max(3, scale.rounds // 3)  # the fastest of fewer says more of the machine than of us
    # the first training of a process loads what later ones find there
    epoch(binary_rows(200), usual["hidden units"], usual["rows in a minibatch"])
    with bar(rounds * sum(map(len, sizes.values())), "growth", "epoch") as shown:
        for what, values in sizes.items():
            points = []
            for value in values:
                now = {**usual, what: value}
                v, times = binary_rows(now["rows"]), []
                for _ in range(rounds):
                    began = time.perf_counter()
                    epoch(v, now["hidden units"], now["rows in a minibatch"])
                    times.append(time.perf_counter() - began)
                    shown.update(1)
                points.append((float(value), min(times)))
            curves[what] = points
    per_row = [seconds for size, seconds in curves["rows in a minibatch"] if size >= 50]
    lines = [
        Line("power of the rows", steepness(curves["rows"]), at_most=1.1),
        Line("power of the hidden units", steepness(curves["hidden units"]), at_most=1.1),
    ]
    if per_row:
        spread = max(per_row) / min(per_row)
        lines.append(Line("slowest over fastest, minibatches from 50 rows up", spread, at_most=1.5))
    return Found(lines, curves=curves)


@job(
    "Memory of training",
    "The peak above the rows while `train_rbm` makes an epoch of CD-1, 784-500, batch 100, machine "
    "included, by tracemalloc; in units of three times the parameters plus the buffers of a "
    "minibatch (state, field and mean of both layers, for data and chains). By default an epoch "
    "ends with a look at 1,000 rows, which costs its own, whatever the number of rows.",
)
def memory(scale: Scale) -> Found:
    """Peak memory of a training beside what it needs at least."""
    n_hidden, batch_size = 500, 100
    v = binary_rows(scale.rows)
    peaks = {}
    for what, monitors in (("without monitors", {}), ("as it is by default", None)):
        epoch(v[:batch_size], n_hidden, batch_size)
        tracemalloc.start()
        epoch(v, n_hidden, batch_size, monitors=monitors)
        peaks[what] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    parameters = 4 * (N_VISIBLE * n_hidden + N_VISIBLE + n_hidden)
    buffers = 4 * 2 * 3 * batch_size * (N_VISIBLE + n_hidden)
    share = peaks["without monitors"] / (3 * parameters + buffers)
    lines = [Line("peak over 3 × parameters + buffers", share, at_most=1)]
    lines += [Line(f"peak {what}", peak / 1e6, "MB") for what, peak in peaks.items()]
    lines.append(Line("the rows themselves", v.nbytes / 1e6, "MB"))
    return Found(lines)


@job("Import", "`import dbnlib` in a new process, over `import numpy, scipy.special`.")
def importing(scale: Scale) -> Found:
    """What a user waits before the first line runs."""
    bare, ours = "numpy and scipy.special", "dbnlib"
    modules = {bare: "import numpy, scipy.special", ours: "import dbnlib", "python": ""}
    seconds = race(
        {
            name: lambda code=code: subprocess.run(
                [sys.executable, "-c", code], check=True, cwd=ROOT
            )
            for name, code in modules.items()
        },
        scale.rounds,
        "import",
    )
    over_python = {
        name: np.subtract(seconds[name], np.min(seconds["python"])) for name in (bare, ours)
    }
    low, median, high = np.percentile(over_python[ours] / over_python[bare], (25, 50, 75))
    line = Line("over numpy and scipy.special", median, "×", low, high, at_most=1.3)
    return Found([line], "Python's own start is taken off both.", seconds)


@job(
    "Notebooks",
    "Each notebook from a fresh kernel, by nbclient, without a browser. Not in the quick mode.",
)
def notebooks(scale: Scale) -> Found:
    """Seconds of every notebook."""
    if scale.name != "full":
        return Found([], "Only in the full mode.")
    from exercises import build
    from exercises.common import names

    lines = []
    paths = names(ROOT, "notebooks/*.ipynb")
    with bar(len(paths), "notebooks", "notebook") as shown:
        for name in paths:
            began = time.perf_counter()
            build.execute(ROOT / name)
            took = time.perf_counter() - began
            lines.append(Line(Path(name).stem, took, "s", at_most=60))
            shown.update(1)
    return Found(lines)
