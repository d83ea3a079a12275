"""`course results`: run rows, print what they found, and store it if asked to."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from dbnlib import DataError
from exercises.common import MissingError, UsageError
from tests.reference import table
from tests.reference.rows import FULL, QUICK, ROWS, Row, chosen_rows
from tests.reference.workshop import Workshop

# Importing a module registers its rows; the table has this order.
for module in ("classification", "likelihoods", "generation", "autoencoders"):
    import_module(f"tests.reference.{module}")


def listing() -> str:
    """Names and questions of all rows."""
    width = max(map(len, ROWS))
    return "\n".join(f"{row.name:{width}}  {row.tier:5}  {row.what}" for row in ROWS.values())


def measured(row: Row, workshop: Workshop) -> dict[str, Any]:
    """The row, measured now, with the time that all its parts took."""
    workshop.parts.clear()
    began, made = time.perf_counter(), workshop.made
    finding = row.measure(workshop)
    beside_parts = time.perf_counter() - began - (workshop.made - made)
    return table.record(row, finding, workshop.seconds + beside_parts)


def run(
    *,
    folder: str | Path,
    full: bool = False,
    names: Sequence[str] = (),
    store: bool = False,
    reduced: bool = False,
    progress: bool | None = None,
) -> int:
    """Measure rows and print them; 1 where a goal was missed, else 0.

    Finished parts are kept in `folder`: a run that was stopped goes on, and a run that was not
    shows the same once more. `reduced` is for tests of the rows.
    """
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        near = difflib.get_close_matches(unknown[0], ROWS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`course results --list` names them"
        raise UsageError(f"there is no row {unknown[0]!r}; {hint}")
    rows = chosen_rows(names, FULL if full else QUICK)
    workshop = Workshop(folder, reduced=reduced, progress=progress)
    found = {}
    for number, row in enumerate(rows, 1):
        print(f"[{number}/{len(rows)}] {row.name}", file=sys.stderr, flush=True)
        try:
            found[row.name] = measured(row, workshop)
        except DataError as error:
            raise MissingError(f"{row.name} needs data that are not here: {error}") from error
        print(table.text([found[row.name]]), flush=True)
        if store:
            table.store({row.name: found[row.name]})
    return int(any(one["reached"] is False for one in found.values()))
