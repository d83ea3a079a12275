"""One student's marks in the forms that others read: Gradescope, Classroom 50, JUnit, Markdown.

Where the grader failed there is no mark. Then the files for platforms that would take one for
zero are not written, and those of an earlier run are removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from exercises import workspace
from exercises.grading.names import cell, fenced, markdown
from exercises.grading.record import NOT_CHARGED, Record
from exercises.grading.report import FAULT, NOT_ATTEMPTED, NOT_COUNTED, NOT_RUN, RIGHT, WRONG, Mark
from exercises.grading.wording import clean

#: tests that a student never sees, though their points count
HIDDEN = "hidden"
#: files that are there only where there is a mark
MARKS = ("results.json", "classroom50.json")


def write_all(record: Record, folder: Path, identity: Mapping[str, str] | None = None) -> None:
    """Write results.json, classroom50.json, junit.xml and page.md.

    Parameters
    ----------
    record : a student's
    folder : where to
    identity : how Classroom 50 calls the submission; see `classroom50`
    """
    if record.settled:
        found = (gradescope(record), classroom50(record, identity))
        for name, value in zip(MARKS, found, strict=True):
            workspace.write(folder / name, as_json(value).encode())
    else:
        remove_marks(folder)
    workspace.write(folder / "junit.xml", junit(record).encode("utf-8", "replace"))
    workspace.write(folder / "page.md", page(record).encode("utf-8", "replace"))


def remove_marks(folder: Path) -> None:
    """Take away what a platform would read as a mark."""
    for name in MARKS:
        (folder / name).unlink(missing_ok=True)


def as_json(value: Any) -> str:
    """Plain ASCII, whatever is in it."""
    return json.dumps(value, indent=1) + "\n"


# ---- Gradescope


def gradescope(record: Record) -> dict[str, Any]:
    """results.json: a score for each test. There is no total, which would replace their sum."""
    report = record.report
    head = record.message or record.note or f"{report.points:g} of {report.max_points:g} points"
    return {
        "output": head,
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "stdout_visibility": HIDDEN,
        "tests": [
            {
                "name": f"{mark.function}: {mark.claim}",
                "number": str(n),
                "score": mark.points,
                "max_score": mark.max_points,
                "status": "passed" if mark.status == RIGHT else "failed",
                "output": said(mark, record),
                "output_format": "text",
                "visibility": mark.visibility,
                "tags": [mark.function],
                "extra_data": {"test": mark.test, "kind": mark.kind},
            }
            for n, mark in enumerate(report.marks, 1)
        ],
        "extra_data": {"unit": report.unit, "seed": report.seed, "level": report.level},
    }


def said(mark: Mark, record: Record) -> str:
    """What a student reads of one test."""
    parts = [mark.message or mark.status]
    if mark.output:
        parts.append(f"printed      {mark.output}")
    if mark.status != RIGHT and mark.function in record.report.see:
        parts.append(f"See {record.report.see[mark.function]}.")
    return "\n\n".join(parts)


# ---- Classroom 50


def classroom50(record: Record, identity: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The result of one submission; totals are whole numbers, and the sums of the tests' points.

    Where a test has a fraction of a point, all points are counted in hundredths.

    Parameters
    ----------
    identity : environment variables of Classroom 50's runner; without them the student's name
        and the unit's stand for them
    """
    known, report = identity or {}, record.report
    whole = all(float(mark.max_points).is_integer() for mark in report.marks)
    unit = 1 if whole else 100
    tests = [
        {
            "test-name": mark.test,
            "passed": mark.status == RIGHT,
            "score": round(unit * mark.points),
            "max-score": round(unit * mark.max_points),
        }
        for mark in report.marks
    ]
    handed_in = f"sha256:{record.digest}"
    commit = known.get("COMMIT_URL") or handed_in
    return {
        "schema": "classroom50/result/v1",
        "classroom": known.get("CLASSROOM") or "local",
        "assignment": known.get("ASSIGNMENT") or f"unit-{report.unit}",
        "owner": known.get("OWNER") or known.get("USERNAME") or record.student,
        "submission": known.get("SUBMISSION_TAG") or handed_in,
        "commit": commit,
        "release": known.get("RELEASE_URL") or handed_in,
        "review": known.get("REVIEW_URL") or commit,
        "datetime": record.graded_at,
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }


# ---- JUnit


def junit(record: Record) -> str:
    """A suite with a case for each test: failed, skipped (a stub, or passed and not counted), or in
    error (the grader's)."""
    report = record.report
    marks = report.marks
    suite = ElementTree.Element(
        "testsuite",
        name=f"unit {report.unit}: {record.student}",
        tests=str(len(marks)),
        failures=str(sum(m.status == WRONG for m in marks)),
        errors=str(sum(m.status in (FAULT, NOT_RUN) for m in marks)),
        skipped=str(sum(m.status in (NOT_ATTEMPTED, NOT_COUNTED) for m in marks)),
        time=f"{sum(m.seconds for m in marks):.3f}",
        timestamp=record.graded_at.removesuffix("Z"),
    )
    for mark in marks:
        case = ElementTree.SubElement(
            suite, "testcase", classname=mark.function, name=mark.test, time=f"{mark.seconds:.3f}"
        )
        skipped = dict.fromkeys((NOT_ATTEMPTED, NOT_COUNTED), "skipped")
        names = skipped | dict.fromkeys((FAULT, NOT_RUN), "error")
        if mark.status != RIGHT:
            name = names.get(mark.status, "failure")
            result = ElementTree.SubElement(case, name, message=mark.misconception or mark.status)
            result.text = clean(mark.message, 10_000)
        if mark.output:
            ElementTree.SubElement(case, "system-out").text = clean(mark.output, 10_000)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


# ---- a page


def page(record: Record) -> str:
    """The student's page. Of hidden tests it has the points only."""
    report = record.report
    lines = [f"# Unit {report.unit} · {cell(report.title)}", "", f"{markdown(record.student)}"]
    if not record.settled:
        return "\n".join([*lines, "", NOT_CHARGED, ""])
    lines += ["", f"**{report.points:g} of {report.max_points:g} points**", ""]
    if record.message:
        return "\n".join([*lines, fenced(record.message), ""])
    if record.note:
        lines += [markdown(record.note) + ".", ""]
    shown = [mark for mark in report.marks if mark.visibility != HIDDEN]
    rest = [mark for mark in report.marks if mark.visibility == HIDDEN]
    lines += ["| function | what is asked | points | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{m.function}` | {cell(m.claim)} | {m.points:g}/{m.max_points:g} | {m.status} |"
        for m in shown
    ]
    if rest:
        points, most = sum(m.points for m in rest), sum(m.max_points for m in rest)
        lines.append(f"| | tests that are not shown | {points:g}/{most:g} | |")
    for mark in shown:
        if mark.status not in (RIGHT, NOT_ATTEMPTED):
            text = fenced(said(mark, record))
            lines += ["", f"## {mark.function}: {cell(mark.claim)}", "", text]
    return "\n".join([*lines, ""])
