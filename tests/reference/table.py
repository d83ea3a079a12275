"""What was found, as files that stay and as a table to read."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import scipy
import sklearn

import dbnlib
from tests.reference.rows import FULL, QUICK, ROWS, Figure, Finding, Row

ROOT = Path(__file__).resolve().parents[2]
STORED = Path(__file__).parent / "results"


def record(row: Row, finding: Finding, seconds: float) -> dict[str, Any]:
    """A finding as plain data, with all that produced it."""
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    return {
        "row": row.name,
        "tier": row.tier,
        "what": row.what,
        "goal": row.goal,
        "figures": [asdict(figure) for figure in finding.figures],
        "reached": finding.reached,
        "settings": row.settings,
        "chosen": row.chosen,
        "command": f"course results --row {row.name}",
        "seconds": round(seconds),
        "date": time.strftime("%Y-%m-%d"),
        "versions": {
            "dbnlib": dbnlib.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
            "python": platform.python_version(),
        },
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), BLAS threads: {threads}",
    }


def write(folder: Path, found: dict[str, Any]) -> None:
    """One file a row, written beside and renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{found['row']}.part"
    part.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(folder / f"{found['row']}.json")


def read(folder: Path = STORED) -> dict[str, dict[str, Any]]:
    """All rows found in a folder, in the order of the table."""
    there = {path.stem: path for path in Path(folder).glob("*.json") if path.stem in ROWS}
    return {
        name: json.loads(there[name].read_text(encoding="utf-8")) for name in ROWS if name in there
    }


def cells(found: dict[str, Any]) -> list[str]:
    """What, result, goal, reached, time: the columns of the table."""
    figures = [str(Figure(**figure)) for figure in found["figures"]]
    reached = {True: "yes", False: "no", None: "–"}[found["reached"]]
    return [found["what"], "; ".join(figures), found["goal"], reached, duration(found["seconds"])]


def duration(seconds: float) -> str:
    """Seconds as one reads them: 40 s, 12 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


HEAD = ["what", "result", "goal", "reached", "time"]


def markdown(results: dict[str, dict[str, Any]], tier: str) -> str:
    """The rows of one tier as a Markdown table, and how each was made below it."""
    rows = [found for found in results.values() if found["tier"] == tier]
    lines = [f"| {' | '.join(HEAD)} |", "|" + " --- |" * len(HEAD)]
    lines += [f"| {' | '.join(cells(found))} |" for found in rows]
    lines.append("")
    for found in rows:
        versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
        lines.append(
            f"- **{found['what']}** (`{found['command']}`). {found['settings']} "
            f"*Settings:* {found['chosen']} *Run:* {found['date']}, {versions}, {found['machine']}."
        )
    return "\n".join(lines)


def text(results: Sequence[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    lines = []
    for found in results:
        what, result, goal, reached, took = cells(found)
        lines += [f"{what}  ({found['row']}, {took})", *(f"    {r}" for r in result.split("; "))]
        lines.append(f"    goal: {goal}" + (f"; reached: {reached}" if reached != "–" else ""))
    return "\n".join(lines)


def page(results: dict[str, dict[str, Any]]) -> str:
    """The page that shows both tiers."""
    return "\n".join(
        [
            "# Reference numbers",
            "",
            "Every number here was printed by the command beside it, and `course results` prints",
            "it again. ± is the standard deviation over seeds, [ ] an interval of three standard",
            "errors of the computation. A goal that was missed is said to be missed.",
            "",
            "## MNIST (`course results --full`)",
            "",
            markdown(results, FULL),
            "",
            "## The bundled digits (`course results`)",
            "",
            markdown(results, QUICK),
            "",
        ]
    )


def store(results: dict[str, dict[str, Any]]) -> list[Path]:
    """Put rows beside those stored in the project; page, README and capstone show them all."""
    for found in results.values():
        write(STORED, found)
    stored = read()
    STORED.mkdir(exist_ok=True)
    written = [STORED / "README.md", ROOT / "README.md", CAPSTONE]
    written[0].write_text(page(stored), encoding="utf-8")
    for path, show in zip(written[1:], (between_marks, in_notebook), strict=True):
        path.write_text(show(path.read_text(encoding="utf-8"), stored), encoding="utf-8")
    return written


CAPSTONE = ROOT / "notebooks" / "08_capstone_and_beyond.ipynb"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def between_marks(text: str, stored: dict[str, dict[str, Any]]) -> str:
    """A Markdown text with the table of the full tier between its marks."""
    rows = [cells(found) for found in stored.values() if found["tier"] == FULL]
    lines = [f"| {' | '.join(HEAD)} |", "|" + " --- |" * len(HEAD)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}"


def in_notebook(text: str, stored: dict[str, dict[str, Any]]) -> str:
    """A notebook, as the text of its file, with the table in its one cell that has the marks."""
    notebook = nbformat.reads(text, as_version=4)
    (cell,) = (cell for cell in notebook.cells if BEGIN in cell.source)
    cell.source = between_marks(cell.source, stored)
    return nbformat.writes(notebook) + "\n"
