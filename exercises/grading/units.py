"""Where the units are, and which file of a learner's is looked at. Knows no unit by name.

A unit is a folder in exercises/ with a task.md. It has a number, which is also the number of the
notebook it follows, or none: then it goes by the name of its folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from exercises import workspace
from exercises.common import ROOT, MissingError, UsageError

NUMBERED = re.compile(r"unit_(\d\d)_")


@dataclass(frozen=True)
class Unit:
    """One folder: exercises/unit_NN_name with task.md, unit_NN.py and test_unit_NN.py.

    Or exercises/name with task.md, name.py and test_name.py: a unit without a number.
    """

    folder: Path
    root: Path

    @property
    def number(self) -> str:
        """'02'; the folder's name for a unit without a number."""
        found = NUMBERED.match(self.folder.name)
        return found[1] if found else self.folder.name

    @property
    def module(self) -> str:
        """'unit_02'; the folder's name for a unit without a number."""
        return f"unit_{self.number}" if NUMBERED.match(self.folder.name) else self.folder.name

    @property
    def title(self) -> str:
        """The first heading of the task, without its number."""
        text = (self.folder / "task.md").read_text(encoding="utf-8")
        heading = re.search(r"^#\s+(?:\d+\s*·\s*)?(.+)$", text, re.MULTILINE)
        return heading[1].strip() if heading else self.folder.name

    @property
    def grader(self) -> Path:
        """The tests."""
        return self.folder / f"test_{self.module}.py"

    @property
    def stub(self) -> Path:
        """The student's module as the course hands it out."""
        return self.folder / f"{self.module}.py"

    @property
    def learners_file(self) -> Path:
        """The file in the learner's own copy if it is there, else the course's."""
        mine = self.root / workspace.FOLDER / self.stub.relative_to(self.root)
        return mine if mine.is_file() else self.stub

    def section(self, words: str) -> tuple[str, str]:
        """The name of a notebook, and the title of a section in it.

        Parameters
        ----------
        words : the title, in the notebook that the unit follows; or '03: Title' in another one
        """
        number, colon, title = words.partition(": ")
        if not (colon and number.isdigit()):
            number, title = self.number, words
        found = sorted((self.root / "notebooks").glob(f"{number}_*.ipynb"))
        return (found[0].name if found else f"notebook {number}"), title


def all_units(root: Path = ROOT) -> list[Unit]:
    """The units, by number, and then those without one; MissingError when there are none."""
    found = [Unit(task.parent, root) for task in (root / "exercises").glob("*/task.md")]
    units = [unit for unit in found if unit.grader.is_file()]
    units.sort(key=lambda unit: (NUMBERED.match(unit.folder.name) is None, unit.folder.name))
    if not units:
        raise MissingError(f"there are no exercises in {root}; take a whole copy of the course")
    return units


def find_unit(name: str, root: Path = ROOT) -> Unit:
    """The unit that is meant by its number ('02' or '2') or the beginning of its folder's name."""
    units = all_units(root)
    number = f"{int(name):02d}" if name.isascii() and name.isdigit() else None
    for unit in units:
        if unit.number == number or (not number and unit.folder.name.startswith(name) and name):
            return unit
    known = ", ".join(unit.number for unit in units)
    raise UsageError(f"there is no unit {name!r}; there are {known}")
