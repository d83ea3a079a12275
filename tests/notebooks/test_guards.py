"""The course's notebooks pass the guards, and each guard catches the defect that it is for."""

from __future__ import annotations

import copy
import inspect
import json
from pathlib import Path

import pytest
from nbval.plugin import IPyNbFile, comment_markers, find_comment_markers, metadata_tags

from tests.notebooks import guards
from tests.notebooks.ignored import ALLOWED, LESSON

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
#: how many cells nbval must really compare: in the short welcome, and in a lesson
LEAST_IN_WELCOME, LEAST_IN_LESSON = 3, 12


# The course's own notebooks


@pytest.mark.parametrize("guard", guards.GUARDS, ids=lambda guard: guard.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_passes_guard(path, guard):
    assert guard(read(path)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_exempted_cell_has_a_reason(path):
    reasons = ALLOWED.get(path.name, {}) | ({} if path.name.startswith("00") else LESSON)
    assert guards.exemptions(read(path), reasons) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_enough_cells_are_compared(path):
    least = LEAST_IN_WELCOME if path.name.startswith("00") else LEAST_IN_LESSON
    assert guards.n_compared(read(path)) >= least


def test_reasons_are_given_for_notebooks_that_exist():
    assert set(ALLOWED) <= {path.name for path in NOTEBOOKS}


# The guards themselves: a good notebook passes all, one with a single defect fails its guard only


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def code(text: str, outputs: list | None = None, *, count: int | None, **metadata) -> dict:
    return {
        "cell_type": "code",
        "execution_count": count,
        "id": f"code-{count}",
        "metadata": metadata,
        "outputs": outputs or [],
        "source": text,
    }


def stream(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def result(text: str, count: int = 1) -> dict:
    data = {"text/plain": text}
    return {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": count}


def picture(text: str = "<Figure size 640x480 with 1 Axes>") -> dict:
    data = {"text/plain": text, "image/png": "iVBORw0KGgo="}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def error() -> dict:
    return {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["no"]}


def text(*lines: str) -> dict:
    return {"cell_type": "markdown", "id": "words", "metadata": {}, "source": "\n".join(lines)}


@pytest.fixture
def notebook() -> dict:
    """A good notebook: title, a printed number, a figure, a value, and one exempted cell."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [
            text("# Energy", "## A machine", "![two layers](layers.png)", "### Its energy"),
            code("%matplotlib inline\nx = 1;  y = 2\nprint(x + y)", [stream("3\n")], count=1),
            code("plt.plot(x)\nplt.show()  # a line;", [picture()], count=2),
            code("x", [result("1", 3)], count=3),
            code("now()", [result("12:01", 4)], count=4, tags=["nbval-ignore-output"]),
        ],
    }


def swap(index: int, cell: dict):
    """A defect: another cell in this place, with the same id."""

    def defect(notebook):
        notebook["cells"][index] = cell | {"id": notebook["cells"][index]["id"]}

    return defect


def put(*keys, value):
    """A defect: another value at this place of the notebook."""

    def defect(notebook):
        *path, last = keys
        for key in path:
            notebook = notebook[key]
        notebook[last] = value

    return defect


def without_id(notebook):
    del notebook["cells"][3]["id"]


BAR = " 40%|████      | 4/10 [00:01<00:02,  2.5it/s]"

DEFECTS = [
    ("not_executed", put("cells", 2, "execution_count", value=None)),
    ("not_executed", put("cells", 2, "execution_count", value=7)),
    ("errors", swap(3, code("f()", [error()], count=3))),
    ("semicolons", swap(3, code("x;", [result("1", 3)], count=3))),
    ("semicolons", swap(3, code("x ;  # quiet\n\n", [result("1", 3)], count=3))),
    ("semicolons", swap(3, code("%time\nx;", [result("1", 3)], count=3))),
    ("semicolons", swap(3, code("this is no Python", [result("1", 3)], count=3))),
    ("time_stamps", swap(3, code("x", count=3, execution={"iopub.status.busy": "2020"}))),
    ("widget_state", put("metadata", "widgets", value={})),
    ("stderr", swap(3, code("f()", [stream("UserWarning", "stderr")], count=3))),
    ("progress_bars", swap(3, code("f()", [stream(BAR)], count=3))),
    ("progress_bars", swap(3, code("f()", [result(BAR, 3)], count=3))),
    ("progress_bars", swap(3, code("f()", [stream("epoch 1\repoch 2")], count=3))),
    ("bad_format", put("nbformat_minor", value=4)),
    ("bad_format", put("cells", 3, "id", value="code-2")),
    ("bad_format", put("cells", 3, "wrong", value=True)),
    ("bad_format", without_id),
    ("kernel", put("metadata", "kernelspec", value={"name": "dbn", "display_name": "mine"})),
    ("kernel", put("metadata", value={})),
    ("comment_markers", swap(3, code("x\n  ## NBVAL_IGNORE_OUTPUT", [result("1", 3)], count=3))),
    ("comment_markers", swap(3, code("# NBVAL_SKIP\nx", [result("1", 3)], count=3))),
    ("missing_alt_text", swap(0, text("# Energy", "![](layers.png)"))),
    ("missing_alt_text", swap(0, text("# Energy", "![ ][layers]"))),
    ("missing_alt_text", swap(0, text("# Energy", "<img src='layers.png' alt=''>"))),
    ("headings", swap(0, text("# Energy", "### Its energy"))),
    ("headings", swap(0, text("## Energy"))),
    ("headings", swap(0, text("# Energy", "# Entropy"))),
    ("unfinished", swap(0, text("# Energy", "*What to see: FILTERS.*"))),
    ("unfinished", swap(0, text("# Energy", "TODO: say why"))),
    ("left_overs", swap(2, code("ax.hist(x)", [result("<Axes: >", 2), picture()], count=2))),
    ("left_overs", swap(2, code("f", [result("[<matplotlib.lines.Line2D at 0x1>]")], count=2))),
    ("too_large", swap(3, code("x", [stream("x" * 1_500_000)], count=3))),
]


def complaining(notebook: dict) -> set[str]:
    return {guard.__name__ for guard in guards.GUARDS if guard(copy.deepcopy(notebook))}


def test_good_notebook_passes_all_guards(notebook):
    assert complaining(notebook) == set()


@pytest.mark.parametrize(
    ("guard", "defect"), DEFECTS, ids=[f"{n}-{guard}" for n, (guard, _) in enumerate(DEFECTS)]
)
def test_defect_is_caught_by_its_guard_and_no_other(notebook, guard, defect):
    defect(notebook)
    assert complaining(notebook) == {guard}


def test_every_guard_has_a_defect_that_it_catches():
    assert {guard for guard, _ in DEFECTS} == {guard.__name__ for guard in guards.GUARDS}


def test_an_expected_error_is_no_defect(notebook):
    notebook["cells"][3] = code("f()", [error()], count=3, tags=["raises-exception"])
    assert complaining(notebook) == set()


def test_fenced_code_has_no_headings_and_no_images(notebook):
    notebook["cells"][0] = text("# Energy", "```", "### a comment", "![](x.png)", "```", "## Next")
    assert complaining(notebook) == set()


def test_image_with_words_in_html_passes(notebook):
    notebook["cells"][0] = text("# Energy", "<img alt='two layers' src='layers.png'>")
    assert complaining(notebook) == set()


def test_exempted_cell_needs_a_reason(notebook):
    assert guards.exemptions(notebook, {"code-4": "shows the time"}) == []
    assert len(guards.exemptions(notebook, {})) == 1
    assert len(guards.exemptions(notebook, {"code-4": " "})) == 1


def test_reason_without_an_exempted_cell_is_a_complaint(notebook):
    reasons = {"code-4": "shows the time", "code-3": "was exempted once"}
    assert len(guards.exemptions(notebook, reasons)) == 1


def test_compared_cells_are_those_with_words_or_numbers_that_nbval_reads(notebook):
    # Of the four: a printed number and a value count; a figure and an exempted cell do not.
    assert guards.n_compared(notebook) == 2
    notebook["cells"][3]["outputs"] = []
    assert guards.n_compared(notebook) == 1


# The guards know what nbval knows: these fail when a new nbval knows other words


def test_all_tags_of_nbval_are_known():
    assert set(metadata_tags) == guards.NBVAL_TAGS


def test_all_comments_of_nbval_are_known():
    assert set(comment_markers) == guards.NBVAL_COMMENTS


def test_a_marker_inside_a_string_counts_for_nbval_too():
    assert list(find_comment_markers('"""\n# NBVAL_SKIP\n"""')) == [("skip", True)]


def test_nbval_leaves_out_what_the_guards_do_not_count():
    constructor = inspect.getsource(IPyNbFile.__init__)
    assert all(repr(kind) in constructor for kind in guards.UNCOMPARED_TYPES)
