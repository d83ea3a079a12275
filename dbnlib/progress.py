"""Progress bars where someone is watching: a terminal or a notebook, never a log or a test."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Any

#: seconds after which a bar appears; work that is done before shows none
DELAY = 1.0


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def bar(total: int, description: str, unit: str = "it", *, show: bool | None = None) -> Any:
    """A tqdm bar of `total` steps, to be used with `with`; advance it by `update(n)`.

    It shows rate, time left and, through `set_postfix`, the current monitors. It appears after a
    second: a hundred short trainings in a cell would otherwise leave a hundred empty lines, behind
    which JupyterLab hides what the cell has to say. With `show=None` it appears in terminals and
    notebooks only, not where output is a file or `CI` is set. In a notebook without ipywidgets it
    is a bar of text. The environment variable `TQDM_DISABLE=1` silences it everywhere.
    """
    if show is None:
        show = (in_notebook() or sys.stderr.isatty()) and not os.environ.get("CI")
    if os.environ.get("TQDM_DISABLE", "0") not in ("", "0"):
        show = False
    if show and in_notebook() and find_spec("ipywidgets"):
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    return tqdm(
        total=total, desc=description, unit=unit, disable=not show, leave=False, delay=DELAY
    )
