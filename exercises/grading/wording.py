"""How values, calls and foreign text are put into words: short, plain, and harmless to print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from exercises.grading.protocol import Seed

#: an array with more entries than this is shown by its corners
MAX_ENTRIES = 60
MAX_LINES, MAX_PARTS = 12, 6


def clean(text: object, limit: int = 500) -> str:
    """Foreign text without control characters, escape codes and undisplayable signs, cut short."""
    kept = "".join(c if c.isprintable() or c == "\n" else "�" for c in str(text)[: limit + 1])
    kept = kept.encode("utf-8", "replace").decode()
    return kept[:limit] + " …" if len(kept) > limit else kept


def show(value: Any) -> str:
    """A value in a few lines."""
    if isinstance(value, np.ndarray):
        return _show_array(value)
    if isinstance(value, Seed):
        return f"numpy.random.default_rng({value.value})"
    if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
        parts = (f"[{n}]  " + hang(show(v), 5) for n, v in enumerate(value[:MAX_PARTS]))
        return clean("\n".join(parts), 3000)
    return clean(repr(value), 200)


def _show_array(array: np.ndarray) -> str:
    shown = np.array2string(
        array,
        precision=4,
        suppress_small=True,
        threshold=MAX_ENTRIES,
        edgeitems=2,
        max_line_width=80,
    )
    lines = shown.split("\n")
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], " …"]
    return "\n".join(lines)


def describe(value: Any) -> str:
    """What kind of thing a value is, with shape and dtype, in one line."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return f"a number, {value.dtype}"
        return f"an array of shape {value.shape}, {value.dtype}"
    if isinstance(value, (list, tuple)):
        name = type(value).__name__
        arrays = ", ".join(str(v.shape) for v in value[:MAX_PARTS] if isinstance(v, np.ndarray))
        return f"a {name} of {len(value)}" + f", arrays of shapes {arrays}" * bool(arrays)
    kinds = {bool: "True or False", int: "a number", float: "a number", str: "a text"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def show_call(function: str, arguments: Mapping[str, Any]) -> str:
    """The call with each argument's value on lines of its own."""
    lines = [f"{function}({', '.join(arguments)}) with"]
    for name, value in arguments.items():
        lines.append(hang(f"  {name} = {hang(show(value), len(name) + 3)}", 2))
    return "\n".join(lines)


def section(head: str, text: str, width: int = 11) -> str:
    """A head, and beside it the text."""
    return f"{head:<{width}} {hang(text, width + 1)}"


def hang(text: str, width: int) -> str:
    """The text with all lines but the first moved to the right."""
    return text.replace("\n", "\n" + " " * width)
