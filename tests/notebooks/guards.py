"""What a notebook of the course must be, beyond what nbval compares.

nbval runs each cell and compares its output with the stored one. That proves nothing where nothing
is stored, and fails for reasons that are no error where something stored can never come out the
same again. Each guard takes a notebook as plain data and returns its complaints, one string each.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import nbformat

Notebook = dict[str, Any]
Cell = dict[str, Any]

#: tags by which nbval treats a cell otherwise than by comparing all of its output
NBVAL_TAGS = {
    "nbval-ignore-output",
    "nbval-check-output",
    "nbval-skip",
    "nbval-raises-exception",
    "raises-exception",
    "pytest-validate-ignore-output",
}
#: those under which an output is not compared at all
UNCOMPARED_TAGS = {"nbval-ignore-output", "nbval-skip", "pytest-validate-ignore-output"}
#: those under which an error is the output wanted
ERROR_TAGS = {"nbval-raises-exception", "raises-exception"}
#: the same as comments, which also count inside a string and are easily overlooked
NBVAL_COMMENTS = {tag.upper().replace("-", "_") for tag in NBVAL_TAGS - {"raises-exception"}}

#: what nbval leaves out of a comparison
UNCOMPARED_TYPES = {"image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json"}
#: how a figure describes itself: nothing that could be wrong
FIGURE = re.compile(r"\s*<Figure size [\d.x]+ with \d+ Axes>\s*")
#: what a plotting call returns, shown by a cell that does not end in plt.show()
LEFT_OVER = re.compile(r"<Axes|<Figure size|matplotlib\.|<BarContainer|<Rectangle|Text\(")
PROGRESS = re.compile(r"\d+%\s*\||\d(it|batch|epoch)/s|s/(it|batch|epoch)\b|[▏▎▍▌▋▊▉█]{2}|\r(?!\n)")
IMAGE = re.compile(r"!\[([^\]]*)\]|<img\b([^>]*)>", re.IGNORECASE)
ALT = re.compile(r"""\balt\s*=\s*(["'])\s*[^"'\s]""", re.IGNORECASE)
FENCE = re.compile(r"^\s*(`{3,}|~{3,}).*?^\s*\1[`~]*\s*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^ {0,3}(#{1,6})\s+\S", re.MULTILINE)
#: the sentence under a figure, and words that stand for something still to be written
SEE = re.compile(r"\*What to see\b(.*?)\*", re.DOTALL)
TO_DO = re.compile(r"\b(TODO|FIXME|XXX|TBD)\b")

MOST_BYTES = 1_500_000


def source(cell: Cell) -> str:
    """The text of a cell."""
    return "".join(cell["source"])


def name(cell: Cell) -> str:
    """What a complaint calls a cell: its id, else its first line."""
    return f"cell {cell.get('id') or source(cell)[:40]!r}"


def code_cells(notebook: Notebook) -> list[Cell]:
    """The cells that run."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def tags(cell: Cell) -> set[str]:
    """The tags of a cell that nbval acts on, all of which it reads in lower case."""
    return {tag for tag in cell["metadata"].get("tags", []) if tag in NBVAL_TAGS}


def markdown(notebook: Notebook) -> Iterator[tuple[Cell, str]]:
    """The cells with text, and their text without fenced code."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            yield cell, FENCE.sub("", source(cell))


def texts(output: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts in an output with their types; those of a stream are called stdout or stderr."""
    if output["output_type"] == "stream":
        yield output["name"], "".join(output["text"])
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/"):
            yield kind, "".join(value)


def not_executed(notebook: Notebook) -> list[str]:
    """Every code cell was run, once, from top to bottom in a new kernel: counts 1, 2, 3, ..."""
    return [
        f"{name(cell)} has execution count {cell['execution_count']}, not {wanted}: "
        "run all cells in a new kernel"
        for wanted, cell in enumerate(code_cells(notebook), start=1)
        if cell["execution_count"] != wanted
    ]


def errors(notebook: Notebook) -> list[str]:
    """No stored error, but in a cell that is meant to raise one."""
    return [
        f"{name(cell)} ends in {output['ename']}: {output['evalue']}"
        for cell in code_cells(notebook)
        for output in cell["outputs"]
        if output["output_type"] == "error" and not tags(cell) & ERROR_TAGS
    ]


def semicolons(notebook: Notebook) -> list[str]:
    """No cell ends in `;`, which hides an output from a reader but not from nbval."""
    complaints = []
    for cell in code_cells(notebook):
        try:
            last = last_token(source(cell))
        except (SyntaxError, tokenize.TokenError):
            complaints.append(f"{name(cell)} is not Python")
        else:
            if last == ";":
                complaints.append(f"{name(cell)} ends in ';': end a figure by plt.show()")
    return complaints


def last_token(code: str) -> str:
    """The last token of Python code that is neither comment nor blank; magic lines left out."""
    try:
        ast.parse(code)
    except SyntaxError:
        code = re.sub(r"^\s*[%!].*$", "", code, flags=re.MULTILINE)
        ast.parse(code)
    # ENDMARKER, NEWLINE and the like have blank strings; so has an empty cell no token at all.
    found = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type != tokenize.COMMENT and token.string.strip()
    ]
    return found[-1] if found else ""


def time_stamps(notebook: Notebook) -> list[str]:
    """No times of execution, which change with every run."""
    return [
        f"{name(cell)} has time stamps in metadata[{key!r}]"
        for cell in notebook["cells"]
        for key in ("execution", "ExecuteTime")
        if key in cell["metadata"]
    ]


def widget_state(notebook: Notebook) -> list[str]:
    """No stored state of widgets: it is large, and other each time."""
    return ["the notebook stores the state of widgets"] * ("widgets" in notebook["metadata"])


def stderr(notebook: Notebook) -> list[str]:
    """Nothing on stderr: warnings and logs differ from machine to machine."""
    return [
        f"{name(cell)} wrote to stderr: {text[:60]!r}"
        for cell in code_cells(notebook)
        for output in cell["outputs"]
        for kind, text in texts(output)
        if kind == "stderr"
    ]


def progress_bars(notebook: Notebook) -> list[str]:
    """No progress bars: their times are never the same again."""
    return [
        f"{name(cell)} shows a progress bar: execute with TQDM_DISABLE=1"
        for cell in code_cells(notebook)
        if any(PROGRESS.search(text) for output in cell["outputs"] for _, text in texts(output))
    ]


def bad_format(notebook: Notebook) -> list[str]:
    """A valid notebook of format 4.5 or later, whose cells all have an id of their own."""
    version = (notebook.get("nbformat", 0), notebook.get("nbformat_minor", 0))
    if version < (4, 5):
        return [f"the notebook has format {version}, but cells have ids from (4, 5)"]
    ids = [cell.get("id") for cell in notebook["cells"]]
    complaints = [f"{name(cell)} has no id" for cell in notebook["cells"] if not cell.get("id")]
    complaints += [
        f"{ids.count(i)} cells have the id {i!r}"
        for i in sorted({*ids} - {None, ""})
        if ids.count(i) > 1
    ]
    if not complaints:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                nbformat.validate(nbformat.from_dict(notebook))
        except (nbformat.ValidationError, Warning) as error:
            complaints.append(f"the notebook is not valid: {str(error).splitlines()[0]}")
    return complaints


def kernel(notebook: Notebook) -> list[str]:
    """The kernel is called python3, which every installation has."""
    found = notebook["metadata"].get("kernelspec", {}).get("name")
    return [] if found == "python3" else [f"the kernel is {found!r}, not 'python3'"]


def comment_markers(notebook: Notebook) -> list[str]:
    """No cell is exempted by a comment: tags are seen, and kept in a list with their reasons."""
    return [
        f"{name(cell)} has the comment {line.strip()!r}: use a tag"
        for cell in code_cells(notebook)
        for line in source(cell).splitlines()
        if line.strip().startswith("#") and line.strip().lstrip("#").strip() in NBVAL_COMMENTS
    ]


def exemptions(notebook: Notebook, allowed: dict[str, str]) -> list[str]:
    """Each exempted cell is in the list with a reason, and the list has no others."""
    tagged = {cell.get("id"): sorted(tags(cell)) for cell in code_cells(notebook) if tags(cell)}
    unlisted = [
        f"cell {cell} has the tag {' '.join(found)} but no reason in tests/notebooks/ignored.py"
        for cell, found in tagged.items()
        if not allowed.get(cell, "").strip()
    ]
    return unlisted + [
        f"tests/notebooks/ignored.py lists the cell {cell}, which has no such tag"
        for cell in allowed
        if cell not in tagged
    ]


def missing_alt_text(notebook: Notebook) -> list[str]:
    """Every image in the text says in words what it shows."""
    return [
        f"{name(cell)} has an image without alternative text: {found.group()[:60]}"
        for cell, text in markdown(notebook)
        for found in IMAGE.finditer(text)
        if not ((found[1] or "").strip() or ALT.search(found[2] or ""))
    ]


def headings(notebook: Notebook) -> list[str]:
    """One `#`, first of all; below it no level is left out."""
    levels = [
        (len(found[1]), name(cell))
        for cell, text in markdown(notebook)
        for found in HEADING.finditer(text)
    ]
    titles = sum(level == 1 for level, _ in levels)
    complaints = [] if titles == 1 else [f"there are {titles} headings of level 1, not one"]
    before = 0
    for level, where in levels:
        if level > before + 1:
            complaints.append(f"{where} jumps from {'#' * before or 'no heading'} to {'#' * level}")
        before = level
    return complaints


def unfinished(notebook: Notebook) -> list[str]:
    """Texts that hold a place: a mark that something is to be done, a sentence of one word."""
    return [
        f"{name(cell)} has a text that is still to be written"
        for cell, text in markdown(notebook)
        if TO_DO.search(text) or any(len(said.split()) < 4 for said in SEE.findall(text))
    ]


def left_overs(notebook: Notebook) -> list[str]:
    """A figure ends in plt.show(): no cell shows what a plotting call happens to return."""
    return [
        f"{name(cell)} shows {text[:40]!r}: end it by plt.show()"
        for cell in code_cells(notebook)
        for output in cell["outputs"]
        if output["output_type"] == "execute_result"
        for kind, text in texts(output)
        if kind == "text/plain" and LEFT_OVER.search(text)
    ]


def too_large(notebook: Notebook) -> list[str]:
    """The file stays small enough to be read on a slow line."""
    size = len(json.dumps(notebook, ensure_ascii=False, indent=1).encode())
    return [f"the notebook has {size:,} bytes, more than {MOST_BYTES:,}"] * (size >= MOST_BYTES)


def n_compared(notebook: Notebook) -> int:
    """How many cells have an output that nbval compares, and that could be wrong."""
    return sum(is_compared(cell) for cell in code_cells(notebook))


def is_compared(cell: Cell) -> bool:
    """Whether a cell was run, is not exempted, and shows more than a picture."""
    if cell["execution_count"] is None or tags(cell) & UNCOMPARED_TAGS:
        return False
    return any(
        output["output_type"] == "error"
        or any(text.strip() and not FIGURE.fullmatch(text) for _, text in texts(output))
        or output.get("data", {}).keys() - UNCOMPARED_TYPES - {"text/plain"}
        for output in cell["outputs"]
    )


#: all that need nothing but the notebook
GUARDS: tuple[Callable[[Notebook], list[str]], ...] = (
    not_executed,
    errors,
    semicolons,
    time_stamps,
    widget_state,
    stderr,
    progress_bars,
    bad_format,
    kernel,
    comment_markers,
    missing_alt_text,
    headings,
    unfinished,
    left_overs,
    too_large,
)
