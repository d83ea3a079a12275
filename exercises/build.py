"""`course build`: run the course's notebooks and store their outputs, so that nbval can compare."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from dbnlib.progress import bar
from exercises.common import ROOT, CourseError, UsageError, batch_environment, names

#: seconds that one cell may take
CELL_SECONDS = 300
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def run(chosen: Sequence[str] = (), *, root: Path = ROOT) -> int:
    """Execute notebooks in place; returns the exit code 0.

    Parameters
    ----------
    chosen : beginnings of notebooks' names, such as '00'; all notebooks by default

    Raises
    ------
    UsageError
        for a name that no notebook begins with
    CourseError
        when a cell fails; the notebook is left as it was
    """
    available = names(root, "notebooks/*.ipynb")
    for word in chosen:
        if not any(Path(path).name.startswith(word) for path in available):
            raise UsageError(f"no notebook's name begins with {word!r}; there are {available}")
    paths = [p for p in available if not chosen or Path(p).name.startswith(tuple(chosen))]
    with bar(len(paths), "notebooks", "notebook") as shown:
        for path in paths:
            shown.set_postfix_str(Path(path).stem)
            changed = build(root / path)
            print(f"{path}: {'outputs changed' if changed else 'as it was'}", flush=True)
            shown.update(1)
    return 0


def build(path: Path) -> bool:
    """Execute one notebook, store it if anything changed, and say whether it did."""
    before = path.read_text(encoding="utf-8")
    notebook = execute(path)
    tidy(notebook)
    after = nbformat.writes(notebook) + "\n"
    if after == before:
        return False
    beside = path.with_suffix(".part")
    beside.write_text(after, encoding="utf-8")
    os.replace(beside, path)
    return True


class PatientClient(NotebookClient):
    """A client that asks for a cell's reply every second.

    While it waits, nbclient also sends what widgets need over the same socket, and sending may eat
    the signal that a reply has come. It would then sleep until the cell's time is over.
    """

    async def async_start_new_kernel_client(self) -> Any:
        """A client of a new kernel, whose replies are asked for in short turns."""
        kernel_client = await super().async_start_new_kernel_client()
        channel = kernel_client.shell_channel
        wait = channel.get_msg

        async def get_msg(timeout: float | None = None) -> Any:
            deadline = math.inf if timeout is None else time.monotonic() + timeout
            while True:
                try:
                    return await wait(timeout=max(0, min(1, deadline - time.monotonic())))
                except Empty:
                    if time.monotonic() >= deadline:
                        raise

        channel.get_msg = get_msg
        return kernel_client


def execute(path: Path) -> Any:
    """The notebook after a run from a fresh kernel; the file stays as it is.

    Raises CourseError when a cell fails.
    """
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    client = PatientClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        # a local kernel warns at each start that what it says on the wire is not encrypted
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    # The bars that a reader sees while a model trains have no place in stored outputs.
    variables = batch_environment()
    old = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        client.execute()
    except CellExecutionError as error:
        raise CourseError(f"{path.name} failed and was left as it was:\n{error}") from None
    finally:
        os.environ.clear()
        os.environ.update(old)
    return notebook


def tidy(notebook: Any) -> None:
    """Take out what differs from run to run and says nothing: versions, states, split streams."""
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
            for output in cell.outputs:
                # a widget's id is another one in each kernel, and means nothing without it
                output.get("data", {}).pop(WIDGET_VIEW, None)


def joined(outputs: list[Any]) -> list[Any]:
    """Outputs in which neighbouring pieces of one stream are a single piece."""
    result: list[Any] = []
    for output in outputs:
        last = result[-1] if result else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            result.append(output)
    return result
