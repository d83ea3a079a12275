"""What a run of `course bench` found: as text, as JSON, as a page with its table, as a chart."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from threadpoolctl import threadpool_info

import dbnlib
from tests.benchmarks.jobs import JOBS, Found, Line, Scale
from tests.benchmarks.peers import versions

FOLDER = Path(__file__).parent
STORED, CHART = FOLDER / "results" / "speed.json", FOLDER / "results" / "speed.png"
PAGE = FOLDER / "README.md"
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return named[0] if named else platform.machine()


def record(found: Mapping[str, Found], scale: Scale, command: str) -> dict[str, Any]:
    """Jobs by name as plain data, each with all that produced it under "run"."""
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    ours = {"dbnlib": dbnlib.__version__, "numpy": np.__version__, "scipy": scipy.__version__}
    run = {
        "command": command,
        "mode": scale.name,
        "rounds": scale.rounds,
        "seed": 0,
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{processor()}, {os.cpu_count()} cores, {platform.system()}",
        "threads": max((pool["num_threads"] for pool in blas), default=1),
        "versions": ours | versions() | {"python": platform.python_version()},
    }
    return {name: {**asdict(one), "run": run} for name, one in found.items()}


def lines_of(one: Mapping[str, Any]) -> list[Line]:
    """The lines of a recorded job."""
    return [Line(**line) for line in one["lines"]]


def cells(line: Line) -> list[str]:
    """What, value, goal, reached."""
    return [line.what, str(line), line.goal, {True: "yes", False: "no", None: ""}[line.reached]]


def text(found: Mapping[str, Found]) -> str:
    """Jobs for a terminal."""
    rows = []
    for name, one in found.items():
        rows.append(f"{JOBS[name].title}  ({name})")
        table = [cells(line) for line in one.lines]
        widths = [max((len(row[i]) for row in table), default=0) for i in range(4)]
        for row in table:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            rows.append(("    " + "  ".join(padded)).rstrip())
        if one.note:
            rows.append(f"    {one.note}")
    return "\n".join(rows)


def where(run: Mapping[str, Any]) -> str:
    """Machine, versions, seed and command in a sentence."""
    known = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    return (
        f"{run['machine']}; BLAS threads: {run['threads']}; {known}; seed {run['seed']}; "
        f"{run['rounds']} rounds; {run['date']}. Made by `{run['command']}`."
    )


def markdown(jobs: Mapping[str, Any]) -> str:
    """The table of the page, what each job times, and the runs that it comes from."""
    rows = ["| job | what | measured [quartiles] | goal | reached |", "| --- " * 5 + "|"]
    runs: dict[str, list[str]] = {}
    for name, one in jobs.items():
        runs.setdefault(where(one["run"]), []).append(f"`{name}`")
        for number, line in enumerate(lines_of(one)):
            title = JOBS[name].title if number == 0 else ""
            rows.append("| " + " | ".join([title, *cells(line)]) + " |")
    what = [f"- **{JOBS[name].title}** (`{name}`): {JOBS[name].text}" for name in jobs]
    made = [f"{', '.join(names)}: {sentence}" for sentence, names in runs.items()]
    return "\n".join([*rows, "", *what, "", *made])


def chart(jobs: Mapping[str, Any], path: Path) -> None:
    """Ratios as bars, with their goals as marks; growth as lines beside them."""
    from matplotlib.figure import Figure

    from dbnlib.plots import COLOURS

    ratios = [
        (f"{JOBS[name].title}: {line.what}", line)
        for name, one in jobs.items()
        for line in lines_of(one)
        if line.low is not None
    ]
    curves = jobs.get("growth", {}).get("curves", {})
    upper = 1.5 + 0.28 * len(ratios)
    figure = Figure(figsize=(9, upper + 3.5 * bool(curves)), layout="constrained")
    figure.set_facecolor("white")
    if curves:
        above, below = figure.subfigures(2, 1, height_ratios=[upper, 3.5])
        draw_growth(below.subplots(1, len(curves)), curves)
        axis = above.subplots()
    else:
        axis = figure.subplots()
    heights = np.arange(len(ratios))[::-1]
    values = [line.value for _, line in ratios]
    axis.barh(heights, values, color=COLOURS[0], height=0.6)
    for height, (_, line) in zip(heights, ratios, strict=True):
        axis.plot([line.low, line.high], [height, height], color="black", linewidth=1)
        goal = line.at_least if line.at_least is not None else line.at_most
        ends = [line.value, line.high]
        if goal is not None:
            axis.plot([goal, goal], [height - 0.4, height + 0.4], color=COLOURS[1], linewidth=3)
            ends.append(goal)
        axis.annotate(f" {line.value:.2f}", (max(ends), height), va="center")
    axis.set_yticks(heights, [name for name, _ in ratios], fontsize=8)
    axis.axvline(1, color="grey", linewidth=0.8)
    axis.set_xlabel("ratio (orange mark: goal; black line: quartiles)")
    axis.margins(x=0.12)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def draw_growth(panels: Any, curves: Mapping[str, list[tuple[float, float]]]) -> None:
    """Seconds against what grows, one panel each, both axes logarithmic."""
    for panel, (what, points) in zip(panels, curves.items(), strict=True):
        sizes, seconds = zip(*points, strict=True)
        panel.loglog(sizes, seconds, "o-", color="#009E73")
        panel.set_xticks(sizes, [f"{size:g}" for size in sizes], rotation=60, fontsize=8)
        labelled = [min(seconds)]
        for value in sorted(seconds):
            if value > 1.12 * labelled[-1]:  # nearer labels would lie on each other
                labelled.append(value)
        panel.set_yticks(labelled, [f"{value:.2g}" for value in labelled], fontsize=8)
        panel.minorticks_off()
        panel.set_xlabel(what)
        panel.set_ylabel("seconds an epoch")
        panel.grid(alpha=0.3)


def as_json(jobs: Mapping[str, Any]) -> str:
    """Jobs as the text of a JSON file."""
    return json.dumps(jobs, indent=1, ensure_ascii=False) + "\n"


def write(jobs: Mapping[str, Any], folder: Path) -> list[Path]:
    """Jobs as text, JSON and chart in a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data, picture = (folder / f"bench.{ending}" for ending in ("md", "json", "png"))
    page.write_text(markdown(jobs) + "\n", encoding="utf-8")
    data.write_text(as_json(jobs), encoding="utf-8")
    chart(jobs, picture)
    return [page, data, picture]


def stored() -> dict[str, Any]:
    """The project's own figures, in the order of the jobs."""
    found = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    return {name: found[name] for name in JOBS if name in found}


def store(jobs: Mapping[str, Any]) -> None:
    """Put jobs among the project's own: JSON, chart, and the table in the folder's page."""
    together = {**stored(), **jobs}
    together = {name: together[name] for name in JOBS if name in together}
    STORED.parent.mkdir(exist_ok=True)
    STORED.write_text(as_json(together), encoding="utf-8")
    chart(together, CHART)
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{markdown(together)}\n{END}{after}", encoding="utf-8")
