"""The result of one unit for one student: a mark for each test, and what can be shown of it.

Every form of output is made from this one object: the table of `course check`, the notebook's, and
the files of other platforms. It travels between processes as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Self

from exercises import workspace

RIGHT, WRONG, NOT_ATTEMPTED = "right", "wrong", "not attempted yet"
#: it is passed, and could be by an answer that is wrong: another test has to be passed first
NOT_COUNTED = "not counted"
#: the grader failed, which is never charged to the student; the test did not run (yet)
FAULT, NOT_RUN = "fault of the grader", "not run"
#: the kind of a mark that is not attempted, where what was handed out runs but has an error in it
UNTOUCHED = "still as it was handed out"


@dataclass
class Mark:
    """What one test said.

    Attributes
    ----------
    test, claim : the test's name, and in words what it holds
    function : the student's function that it is about
    points, max_points : earned and possible
    status : one of the words above
    visibility : 'visible', 'hidden', 'after_due_date' or 'after_published'
    kind : how it failed: 'wrong', 'timeout', 'crash', … ; empty if it did not
    message : what the learner reads
    misconception : the sentence that names a known error
    output : what the student's code printed
    """

    test: str
    claim: str
    function: str
    max_points: float
    visibility: str = "visible"
    points: float = 0.0
    status: str = NOT_RUN
    kind: str = ""
    message: str = ""
    misconception: str = ""
    output: str = ""
    seconds: float = 0.0


@dataclass(repr=False)
class UnitReport:
    """All marks of one student in one unit.

    Attributes
    ----------
    unit, title, file : '02', its title, and the student's file that was looked at
    seed : from which the tests' inputs were drawn
    level, notes : how far the worker was confined, and what was refused; empty if none ran
    hints, see : for each function its hints, and the section of the notebook
    complete : whether the grader came to its end
    """

    unit: str
    title: str = ""
    file: str = ""
    seed: int = 0
    level: str = ""
    notes: list[str] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    hints: dict[str, list[str]] = field(default_factory=dict)
    see: dict[str, str] = field(default_factory=dict)
    complete: bool = False

    @property
    def points(self) -> float:
        """Sum over all marks."""
        return sum(mark.points for mark in self.marks)

    @property
    def max_points(self) -> float:
        """What could be earned."""
        return sum(mark.max_points for mark in self.marks)

    @property
    def sound(self) -> bool:
        """Whether the grader did its work: nothing is left out, and no fault is its own."""
        ran = self.complete and bool(self.marks)
        return ran and not any(mark.status in (FAULT, NOT_RUN) for mark in self.marks)

    @property
    def first_failure(self) -> Mark | None:
        """The first test that was failed; one that could not judge comes last."""
        failed = [mark for mark in self.marks if mark.status == WRONG]
        return next(iter(failed + [mark for mark in self.marks if mark.status == FAULT]), None)

    def functions(self) -> Iterator[tuple[str, str, float, float]]:
        """For each function its name, status, points and possible points, in the unit's order."""
        for name in dict.fromkeys(mark.function for mark in self.marks):
            marks = [mark for mark in self.marks if mark.function == name]
            said = {mark.status for mark in marks}
            order = (FAULT, WRONG, NOT_RUN, NOT_ATTEMPTED, NOT_COUNTED, RIGHT)
            status = next(status for status in order if status in said)
            yield name, status, sum(m.points for m in marks), sum(m.max_points for m in marks)

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**fields | {"marks": [Mark(**mark) for mark in fields["marks"]]})

    def write(self, path: Path) -> None:
        """Write beside the file, and rename: a reader sees the old result or the new one."""
        workspace.write(path, self.to_json().encode())

    # ---- for people

    def head(self) -> str:
        """One line: the unit, and the file that was looked at."""
        return f"Unit {self.unit} · {self.title} · {self.file}"

    def __str__(self) -> str:
        """A table of functions with their points, then the first failure in full."""
        rows = [(name, f"{got:g}/{most:g}", status) for name, status, got, most in self.functions()]
        rows.append(("together", f"{self.points:g}/{self.max_points:g}", ""))
        width = max(len(row[0]) for row in rows)
        table = [f"  {n:<{width}}  {p:>7}  {s}".rstrip() for n, p, s in rows]
        parts = [self.head(), "\n".join(table)]
        failure = self.first_failure
        if failure is not None:
            parts.append(f"{failure.function}: {failure.claim}\n\n{failure.message}")
            parts.append(self.where_to_look(failure))
        elif self.points < self.max_points and self.sound:
            parts.append(self.next_step())
        if not self.sound:
            parts.append("The grader did not come to its end; that is not your fault.")
        return "\n\n".join(filter(None, parts))

    def next_step(self) -> str:
        """Where nothing that was attempted is wrong: what to turn to."""
        following = next(name for name, _, points, most in self.functions() if points < most)
        marks = [mark for mark in self.marks if mark.function == following]
        mark = next(mark for mark in marks if mark.points < mark.max_points)
        if mark.kind != UNTOUCHED:
            return f"Nothing is wrong so far. Next: {following}"
        return (
            f"Next: {following}, which is {UNTOUCHED}.\nThis does not hold of it yet: {mark.claim}"
            f"\n\n{self.where_to_look(mark)}"
        )

    def where_to_look(self, failure: Mark) -> str:
        """What helps: what was printed, the notebook, and the hints."""
        lines = [f"printed      {failure.output}"] if failure.output else []
        if failure.function in self.see:
            lines.append(f"See {self.see[failure.function]}.")
        if self.hints.get(failure.function):
            lines.append(f"A hint: course check {self.unit} --hint {failure.function}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"UnitReport({self.unit!r}: {self.points:g} of {self.max_points:g} points)"

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        colours = {RIGHT: "#2a7", WRONG: "#c33", FAULT: "#c80"}
        cells = "".join(
            f"<tr><td style='text-align:left'><code>{escape(name)}</code></td>"
            f"<td>{points:g}/{most:g}</td>"
            f"<td style='text-align:left;color:{colours.get(status, '#888')}'>{status}</td></tr>"
            for name, status, points, most in self.functions()
        )
        rest = str(self).split("\n\n", 2)[2:]
        below = f"<pre>{escape(rest[0])}</pre>" if rest else ""
        return (
            f"<p>{escape(self.head())}</p><table>{cells}<tr><td style='text-align:left'>together"
            f"</td><td>{self.points:g}/{self.max_points:g}</td><td></td></tr></table>{below}"
        )
