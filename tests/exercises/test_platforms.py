"""The forms of the marks, against what is written here by hand."""

from __future__ import annotations

import csv
import io
import json
from xml.etree import ElementTree

import pytest

from exercises.grading import platforms, summary
from exercises.grading.record import BY_FAULT, GRADED, NOT_CHARGED, REFUSED, Record
from exercises.grading.report import (
    FAULT,
    NOT_ATTEMPTED,
    NOT_COUNTED,
    RIGHT,
    WRONG,
    Mark,
    UnitReport,
)
from exercises.grading.similarity import Pair

LINK = '=HYPERLINK("http://evil","click")'
SQUARE = "It is squared."


def marks() -> list[Mark]:
    """Four tests: right, wrong, hidden and wrong, not attempted."""
    return [
        Mark("test_a", "Twice a | b.", "double", 2.0, points=2.0, status=RIGHT, seconds=0.5),
        Mark(
            *("test_b", "Twice each.", "double", 1.0),
            status=WRONG,
            kind="wrong",
            message="double gives wrong values.\n```\n# not a heading",
            misconception=SQUARE,
            output="=1+1",
        ),
        Mark("test_c", "Secret.", "double", 1.0, "hidden", status=WRONG, kind="timeout"),
        Mark("test_d", "Half.", "half", 3.0, status=NOT_ATTEMPTED, kind="not attempted"),
    ]


def record(student: str = "ada", outcome: str = GRADED, **options) -> Record:
    """A student's, graded at a fixed time."""
    report = UnitReport("07", "Twice and half", "unit_07.py", 5, "landlock", marks=marks())
    report.see = {"double": "“Doubling” in 07.ipynb"}
    report.complete = True
    return Record(
        *(student, f"{student}.py", "abc", "def", outcome, report),
        graded_at="2026-01-02T03:04:05Z",
        **options,
    )


def faulty() -> Record:
    """A student's in whose tests the grader failed."""
    found = record("eve", BY_FAULT, message="ZeroDivisionError: division by zero")
    found.report.marks[1].status = FAULT
    return found


def refused() -> Record:
    """A student's whose zip was none."""
    found = record("bad")
    found.refuse("This is no zip.")
    for mark in found.report.marks:
        mark.points = 0.0
    return found


# Gradescope


def test_gradescope_has_a_score_for_each_test_and_no_total():
    found = platforms.gradescope(record())
    assert "score" not in found
    assert found["stdout_visibility"] == "hidden"
    assert found["output"] == "2 of 7 points"
    assert found["tests"][1] == {
        "name": "double: Twice each.",
        "number": "2",
        "score": 0.0,
        "max_score": 1.0,
        "status": "failed",
        "output": "double gives wrong values.\n```\n# not a heading\n\nprinted      =1+1\n\n"
        "See “Doubling” in 07.ipynb.",
        "output_format": "text",
        "visibility": "visible",
        "tags": ["double"],
        "extra_data": {"test": "test_b", "kind": "wrong"},
    }
    assert [(test["score"], test["max_score"]) for test in found["tests"]] == [
        *((2, 2), (0, 1), (0, 1), (0, 3))
    ]
    assert [test["status"] for test in found["tests"]] == ["passed", "failed", "failed", "failed"]
    assert [test["visibility"] for test in found["tests"]][2] == "hidden"


def test_gradescope_uses_known_fields_only():
    known = {
        *("score", "execution_time", "output", "output_format", "test_output_format"),
        *("test_name_format", "visibility", "stdout_visibility", "extra_data", "tests"),
    }
    of_test = {
        *("score", "max_score", "status", "name", "name_format", "number", "output"),
        *("output_format", "tags", "visibility", "extra_data"),
    }
    found = platforms.gradescope(record())
    assert found.keys() <= known
    assert all(test.keys() <= of_test for test in found["tests"])


def test_refused_submission_is_told_why_in_each_test():
    found = platforms.gradescope(refused())
    assert found["output"] == "This is no zip."
    assert {test["score"] for test in found["tests"]} == {0}
    assert all(test["output"].startswith("This is no zip.") for test in found["tests"])


# Classroom 50


def test_classroom50_of_one_student():
    found = platforms.classroom50(record())
    assert found == {
        "schema": "classroom50/result/v1",
        "classroom": "local",
        "assignment": "unit-07",
        "owner": "ada",
        "submission": "sha256:abc",
        "commit": "sha256:abc",
        "release": "sha256:abc",
        "review": "sha256:abc",
        "datetime": "2026-01-02T03:04:05Z",
        "score": 2,
        "max-score": 7,
        "tests": [
            {"test-name": "test_a", "passed": True, "score": 2, "max-score": 2},
            {"test-name": "test_b", "passed": False, "score": 0, "max-score": 1},
            {"test-name": "test_c", "passed": False, "score": 0, "max-score": 1},
            {"test-name": "test_d", "passed": False, "score": 0, "max-score": 3},
        ],
    }
    assert type(found["score"]) is int


def test_classroom50_takes_the_identity_that_its_runner_gives():
    given = {
        **{"CLASSROOM": "dbn", "ASSIGNMENT": "unit-02", "OWNER": "ada50", "SUBMISSION_TAG": "s/1"},
        **{"COMMIT_URL": "c", "RELEASE_URL": "r", "REVIEW_URL": "v", "PATH": "elsewhere"},
    }
    found = platforms.classroom50(record(), given)
    names = ("classroom", "assignment", "owner", "submission", "commit", "release", "review")
    assert [found[name] for name in names] == ["dbn", "unit-02", "ada50", "s/1", "c", "r", "v"]


def test_classroom50_counts_fractions_of_points_in_hundredths():
    found = record()
    found.report.marks[0].max_points = found.report.marks[0].points = 2.5
    result = platforms.classroom50(found)
    assert (result["score"], result["max-score"]) == (250, 750)
    assert result["score"] == sum(test["score"] for test in result["tests"])


# JUnit


def test_junit_tells_failures_from_stubs_and_from_faults_of_the_grader():
    suite = ElementTree.fromstring(platforms.junit(record()))[0]
    wanted = {"tests": "4", "failures": "2", "errors": "0", "skipped": "1", "time": "0.500"}
    assert wanted.items() <= suite.attrib.items()
    cases = {case.get("name"): [part.tag for part in case] for case in suite}
    assert cases == {
        "test_a": [],
        "test_b": ["failure", "system-out"],
        "test_c": ["failure"],
        "test_d": ["skipped"],
    }
    suite = ElementTree.fromstring(platforms.junit(faulty()))[0]
    assert (suite.get("errors"), suite.get("failures")) == ("1", "1")
    assert suite.find("testcase/error") is not None


def test_junit_is_sound_whatever_was_printed():
    found = record("a<b>&\"'")
    found.report.marks[1].output = "\x00\x1b[31m\ufffe]]>\ud800"
    found.report.marks[1].message = "\x0b<failure>"
    case = ElementTree.fromstring(platforms.junit(found))[0][1]
    assert case.find("failure").text == "�<failure>"
    assert "\x1b" not in case.find("system-out").text


def test_test_that_is_passed_and_does_not_count_is_no_failure_and_no_points():
    found = record()
    mark = found.report.marks[3]
    mark.status = mark.kind = NOT_COUNTED
    mark.message = "not counted: first make test_a pass"
    suite = ElementTree.fromstring(platforms.junit(found))[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("2", "1")
    assert suite[3][0].text == mark.message
    of_gradescope = platforms.gradescope(found)["tests"][3]
    assert (of_gradescope["score"], of_gradescope["status"]) == (0, "failed")
    assert of_gradescope["output"].startswith(mark.message)
    assert platforms.classroom50(found)["tests"][3]["passed"] is False
    page = platforms.page(found)
    assert "| `half` | Half. | 0/3 | not counted |" in page
    assert mark.message in page
    row = summary.test_row(3, found.report, [found])
    assert (row["not_counted"], row["wrong"], row["not_attempted"], row["right"]) == (1, 0, 0, 0)


# The page


def test_page_shows_what_a_student_may_see():
    page = platforms.page(record())
    assert "**2 of 7 points**" in page
    assert "| `double` | Twice a \\| b. | 2/2 | right |" in page
    assert "Secret" not in page
    assert "| | tests that are not shown | 0/1 | |" in page
    assert "## double: Twice each." in page


def test_nothing_in_a_message_leaves_its_block():
    page = platforms.page(record(LINK))
    lines = page.splitlines()
    start = lines.index("````text")
    assert lines.index("# not a heading") > start
    assert lines[start + 1 :].index("````") > lines[start + 1 :].index("# not a heading")
    assert "](http" not in page
    assert "<" not in page


def test_page_of_a_fault_has_no_points():
    page = platforms.page(faulty())
    assert NOT_CHARGED in page
    assert "points**" not in page


def test_fault_takes_away_what_a_platform_would_read_as_zero(tmp_path):
    platforms.write_all(record(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("results.json", "classroom50.json", "junit.xml", "page.md")
    }
    platforms.write_all(faulty(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"junit.xml", "page.md"}


# The class


@pytest.fixture
def found(tmp_path):
    """The folder with the class's files."""
    records = [record("ada"), record(LINK, note="x.py was taken"), refused(), faulty()]
    blank = UnitReport("07", "Twice and half", marks=marks())
    pairs = [Pair("ada", LINK, 0.876)]
    summary.write_all(blank, records, pairs, tmp_path)
    return tmp_path


def test_summary_counts_graded_files_for_tests_and_marks_for_points(found):
    numbers = json.loads((found / "summary.json").read_text())
    assert numbers["outcomes"] == {GRADED: 2, REFUSED: 1, BY_FAULT: 1}
    assert numbers["max_points"] == 7
    wanted = {"mean": 4 / 3, "least": 0, "lower_quartile": 1, "median": 2, "upper_quartile": 2}
    assert numbers["points"] == pytest.approx(wanted | {"most": 2})
    counts = [(row["right"], row["wrong"], row["not_attempted"]) for row in numbers["tests"]]
    assert counts == [(2, 0, 0), (0, 2, 0), (0, 2, 0), (0, 0, 2)]
    assert numbers["misconceptions"] == [{"function": "double", "sentence": SQUARE, "students": 2}]
    assert [student["points"] for student in numbers["students"]] == [2, 2, 0, None]
    assert numbers["students"][0]["tests"] == {"test_a": 2, "test_b": 0, "test_c": 0, "test_d": 0}
    assert (numbers["seeds"], numbers["lowest_level"]) == ([5], "landlock")
    assert numbers["alike"] == [{"one": "ada", "other": LINK, "share": 0.876}]


def test_summary_in_words_names_the_worst_test_first_and_shows_no_markup_of_strangers(found):
    text = (found / "summary.md").read_text()
    assert "4 submissions: 2 graded, 1 refused (no points), 1 without a mark" in text
    tests = text[text.index("## Tests") :]
    assert "| wrong | not attempted | not counted | right |" in tests
    assert "| `half` | Half. | 3 | 0 | 2 | 0 | 0 |" in tests
    assert tests.index("Twice each.") < tests.index("Half.") < tests.index("Twice a \\| b.")
    assert f"| 2 | `double` | {SQUARE} |" in text
    assert "| 88% | ada | =HYPERLINK" in text
    assert "| bad | refused | This is no zip. |" in text
    assert "| eve | fault | ZeroDivisionError\\: division by zero |" in text
    assert "http://" not in text


def test_table_for_spreadsheets_has_points_and_no_formula(found):
    raw = (found / "marks.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")  # so that a spreadsheet reads names as they are
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    head = ["student", "handed in", "points", "of", "outcome", "message", "alike"]
    assert rows[0] == [*head, "test_a", "test_b", "test_c", "test_d"]
    assert rows[1] == ["ada", "ada.py", "2", "7", GRADED, "", "88%", "2", "0", "0", "0"]
    assert rows[2][0] == f"'{LINK}"
    assert rows[3][:6] == ["bad", "bad.py", "0", "7", REFUSED, "This is no zip."]
    assert rows[4][2] == ""
    assert rows[4][7:] == ["", "", "", ""]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for r in rows for cell in r)


def test_class_in_which_nobody_has_a_mark_is_summed_up_too(tmp_path):
    summary.write_all(UnitReport("07", marks=marks()), [faulty()], [], tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text())["points"] == {}
    assert "1 without a mark" in (tmp_path / "summary.md").read_text()
