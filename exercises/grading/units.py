"""Where the units are, and which file of a learner's is looked at. Knows no unit by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from exercises import workspace
from exercises.common import ROOT, MissingError, UsageError


@dataclass(frozen=True)
class Unit:
    """One folder exercises/unit_NN_name with task.md, unit_NN.py and test_unit_NN.py."""

    folder: Path
    root: Path

    @property
    def number(self) -> str:
        """'02'."""
        return self.folder.name.split("_")[1]

    @property
    def title(self) -> str:
        """The first heading of the task, without its number."""
        text = (self.folder / "task.md").read_text(encoding="utf-8")
        heading = re.search(r"^#\s+(?:\d+\s*·\s*)?(.+)$", text, re.MULTILINE)
        return heading[1].strip() if heading else self.folder.name

    @property
    def grader(self) -> Path:
        """The tests."""
        return self.folder / f"test_unit_{self.number}.py"

    @property
    def stub(self) -> Path:
        """The student's module as the course hands it out."""
        return self.folder / f"unit_{self.number}.py"

    @property
    def learners_file(self) -> Path:
        """The file in the learner's own copy if it is there, else the course's."""
        mine = self.root / workspace.FOLDER / self.stub.relative_to(self.root)
        return mine if mine.is_file() else self.stub

    @property
    def notebook(self) -> str:
        """The name of the notebook that the unit follows."""
        found = sorted((self.root / "notebooks").glob(f"{self.number}_*.ipynb"))
        return found[0].name if found else f"notebook {self.number}"


def all_units(root: Path = ROOT) -> list[Unit]:
    """The units, in order; MissingError when there are none."""
    found = sorted((root / "exercises").glob("unit_[0-9][0-9]_*"))
    units = [Unit(folder, root) for folder in found if folder.is_dir()]
    units = [unit for unit in units if unit.grader.is_file()]
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
