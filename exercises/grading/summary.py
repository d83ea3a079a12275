"""The class as a whole: summary.json, summary.md and marks.csv, from all students' records."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Set
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from exercises import workspace
from exercises.grading.names import cell, csv_cell, markdown
from exercises.grading.platforms import as_json
from exercises.grading.record import BY_FAULT, GRADED, REFUSED, Record
from exercises.grading.report import NOT_ATTEMPTED, NOT_COUNTED, RIGHT, UnitReport
from exercises.grading.sandbox import LEVELS
from exercises.grading.similarity import Pair

#: how many misconceptions, and pairs of files, summary.md names; summary.json has all
MOST_NAMED, MOST_PAIRS = 10, 50


#: what is said of a file that similarity does not look at to its end
PARTLY = "Too long to be compared with the others as a whole: look at what fills it"


def write_all(
    blank: UnitReport,
    records: list[Record],
    pairs: list[Pair],
    out: Path,
    partly: Set[str] = frozenset(),
) -> None:
    """Write the three files.

    Parameters
    ----------
    blank : the unit's report before anything was graded: its tests
    records : one a student
    pairs : sources that are alike
    out : the folder
    partly : students whose files were not compared to their end
    """
    found = statistics(blank, records, pairs, partly)
    workspace.write(out / "summary.json", as_json(found).encode())
    workspace.write(out / "summary.md", in_words(found).encode())
    workspace.write(out / "marks.csv", table(blank, records, pairs).encode("utf-8-sig"))


def statistics(
    blank: UnitReport, records: list[Record], pairs: list[Pair], partly: Set[str] = frozenset()
) -> dict[str, Any]:
    """All that is known of the class.

    Points count each student who has a mark; tests count those whose file was graded.
    """
    graded = [record for record in records if record.outcome == GRADED]
    points = [record.report.points for record in records if record.settled]
    levels = {record.report.level for record in graded} - {""}
    named = Counter(
        pair
        for record in graded
        for pair in {(m.function, m.misconception) for m in record.report.marks if m.misconception}
    )
    kinds = Counter(m.kind for record in graded for m in record.report.marks if m.kind)
    return {
        "unit": blank.unit,
        "title": blank.title,
        "max_points": blank.max_points,
        "outcomes": dict(Counter(record.outcome for record in records)),
        "seeds": sorted({record.report.seed for record in graded}),
        "lowest_level": min(levels, key=LEVELS.__getitem__, default=""),
        "points": spread(points),
        "tests": [test_row(n, blank, graded) for n in range(len(blank.marks))],
        "misconceptions": [
            {"function": function, "sentence": sentence, "students": n}
            for (function, sentence), n in named.most_common()
        ],
        "kinds": dict(kinds.most_common()),
        "alike": [asdict(pair) for pair in pairs],
        "students": [
            {
                "student": record.student,
                "handed_in": record.entry,
                "outcome": record.outcome,
                "points": record.report.points if record.settled else None,
                "message": record.message,
                "note": noted(record, partly),
                "seed": record.report.seed,
                "level": record.report.level,
                "sha256": record.digest,
                "graded_at": record.graded_at,
                "tests": {m.test: m.points for m in record.report.marks} if record.settled else {},
            }
            for record in records
        ],
    }


def noted(record: Record, partly: Set[str]) -> str:
    """What a person should know of a student's file. The student's own page has no second part."""
    return ". ".join(filter(None, [record.note, PARTLY if record.student in partly else ""]))


def spread(points: list[float]) -> dict[str, float]:
    """Mean, least, quartiles and most; empty where there are no points."""
    if not points:
        return {}
    names = ("least", "lower_quartile", "median", "upper_quartile", "most")
    found = np.quantile(points, [0, 0.25, 0.5, 0.75, 1])
    return {"mean": float(np.mean(points))} | dict(zip(names, found.tolist(), strict=True))


def test_row(n: int, blank: UnitReport, graded: list[Record]) -> dict[str, Any]:
    """How the class did in one test."""
    mark = blank.marks[n]
    said = Counter(record.report.marks[n].status for record in graded)
    return {
        "test": mark.test,
        "claim": mark.claim,
        "function": mark.function,
        "visibility": mark.visibility,
        "max_points": mark.max_points,
        "right": said[RIGHT],
        "not_attempted": said[NOT_ATTEMPTED],
        "not_counted": said[NOT_COUNTED],
        "wrong": said.total() - said[RIGHT] - said[NOT_ATTEMPTED] - said[NOT_COUNTED],
    }


# ---- for people


def in_words(found: dict[str, Any]) -> str:
    """summary.md."""
    sections = [
        f"# Unit {found['unit']} · {cell(found['title'])}: the class",
        class_section(found),
        tests_section(found),
        misconceptions_section(found),
        look_section(found),
        alike_section(found),
        students_section(found),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def class_section(found: dict[str, Any]) -> str:
    """How many, how confined, how many points."""
    counts, points = found["outcomes"], found["points"]
    lines = [
        f"{sum(counts.values())} submissions: {counts.get(GRADED, 0)} graded, "
        f"{counts.get(REFUSED, 0)} refused (no points), "
        f"{counts.get(BY_FAULT, 0)} without a mark by a fault of the grader.",
        f"Level of the sandbox: {found['lowest_level'] or 'none ran'}. "
        f"Seeds of the inputs: {', '.join(map(str, found['seeds'])) or 'none'}.",
    ]
    if points:
        lines.append(
            f"Points of {found['max_points']:g}: mean {points['mean']:.2f}, "
            f"median {points['median']:g}, middle half {points['lower_quartile']:g} to "
            f"{points['upper_quartile']:g}, all {points['least']:g} to {points['most']:g}."
        )
    return "\n\n".join(lines)


def tests_section(found: dict[str, Any]) -> str:
    """The tests, the one that most failed first."""
    rows = sorted(found["tests"], key=lambda row: (-row["wrong"], -row["not_attempted"]))
    return "## Tests, the most failed first\n\n" + rows_of(
        ("function", "what is asked", "points", "wrong", "not attempted", "not counted", "right"),
        [
            (
                *(f"`{row['function']}`", cell(row["claim"]), f"{row['max_points']:g}"),
                *(str(row[said]) for said in ("wrong", "not_attempted", "not_counted", "right")),
            )
            for row in rows
        ],
    )


def misconceptions_section(found: dict[str, Any]) -> str:
    """What is thought wrongly, the commonest first."""
    rows = found["misconceptions"][:MOST_NAMED]
    if not rows:
        return ""
    return "## Misconceptions, the commonest first\n\n" + rows_of(
        ("students", "function", "what the grader said"),
        [(str(r["students"]), f"`{r['function']}`", cell(r["sentence"])) for r in rows],
    )


def look_section(found: dict[str, Any]) -> str:
    """Who has no mark, and whose file was refused or taken with a note."""
    rows = [
        (markdown(s["student"]), s["outcome"], markdown(s["message"] or s["note"], 400))
        for s in found["students"]
        if s["outcome"] != GRADED or s["note"]
    ]
    if not rows:
        return ""
    words = "A fault is the grader's and costs nobody points: run the same command again."
    return f"## To look at\n\n{words}\n\n" + rows_of(("student", "outcome", "why"), rows)


def alike_section(found: dict[str, Any]) -> str:
    """Sources that are alike."""
    if not found["alike"]:
        return ""
    words = (
        "For a person to judge: a share proves nothing, and no points were taken. It is the part "
        "of the shorter file's code, without names, comments and what was handed out, that the "
        "other has too."
    )
    rows = [
        (f"{pair['share']:.0%}", markdown(pair["one"]), markdown(pair["other"]))
        for pair in found["alike"][:MOST_PAIRS]
    ]
    return f"## Alike\n\n{words}\n\n" + rows_of(("share", "one", "other"), rows)


def students_section(found: dict[str, Any]) -> str:
    """Everybody's points."""
    rows = [
        (markdown(s["student"]), "–" if s["points"] is None else f"{s['points']:g}", s["outcome"])
        for s in found["students"]
    ]
    return "## Students\n\n" + rows_of(("student", "points", "outcome"), rows)


def rows_of(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown; its cells are harmless already."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# ---- for spreadsheets


def table(blank: UnitReport, records: list[Record], pairs: list[Pair]) -> str:
    """marks.csv: a line a student, a column a test; empty where there is no mark."""
    tests = [mark.test for mark in blank.marks]
    head = ["student", "handed in", "points", "of", "outcome", "message", "alike", *tests]
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow(head)
    for record in records:
        points = {mark.test: mark.points for mark in record.report.marks} if record.settled else {}
        like = max(
            (pair.share for pair in pairs if record.student in (pair.one, pair.other)), default=0
        )
        row = [
            *(record.student, record.entry, record.report.points if record.settled else ""),
            *(blank.max_points, record.outcome, record.message or record.note),
            f"{like:.0%}" if like else "",
            *(points.get(test, "") for test in tests),
        ]
        writer.writerow([csv_cell(value) for value in row])
    return lines.getvalue()
