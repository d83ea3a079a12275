"""What a batch keeps of one student: the submission's checksum, and what came of it.

    begun  →  graded | refused | fault

It is written before the grading begins, with no points, and again by rename when it has ended: a
batch that was killed leaves a record that says so, and its student is graded again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from exercises import workspace
from exercises.grading.report import FAULT, NOT_RUN, WRONG, UnitReport
from exercises.grading.wording import clean

BEGUN, GRADED, REFUSED, BY_FAULT = "begun", "graded", "refused", "fault"
NAME = "record.json"

#: what a student reads where the grader failed
NOT_CHARGED = "The grader itself failed. That is not your fault and costs no points. No mark yet."


@dataclass
class Record:
    """One student in one unit.

    Attributes
    ----------
    student : the name, fit to print
    entry : the name of what was handed in
    digest : SHA-256 of the file that was graded, or what stands for it where there was none
    grader : SHA-256 of all that judged it: the unit's tests, the engine, the library
    outcome : one of the words above
    report : the marks
    message : why it was refused, or what the fault was
    note : what a person should know of the file
    graded_at : the time, in UTC
    """

    student: str
    entry: str
    digest: str
    grader: str
    outcome: str
    report: UnitReport
    message: str = ""
    note: str = ""
    graded_at: str = ""

    @property
    def settled(self) -> bool:
        """Whether there is a mark: the points are the student's own doing."""
        return self.outcome in (GRADED, REFUSED)

    def refuse(self, message: str) -> None:
        """No points in any test, for a reason that the student is told."""
        self.outcome, self.message = REFUSED, clean(message)
        for mark in self.report.marks:
            mark.status, mark.kind, mark.message = WRONG, REFUSED, self.message
        self.report.complete = True

    def accept(self, report: UnitReport) -> None:
        """What the grader found; a fault where it did not come to its end."""
        self.report = report
        self.outcome = GRADED if report.sound else BY_FAULT
        if not report.sound:
            faults = [m.message for m in report.marks if m.status in (FAULT, NOT_RUN) and m.message]
            self.message = next(iter(faults), "the grader did not come to its end")

    def fail(self, message: str) -> None:
        """The grader failed before it found anything."""
        self.outcome, self.message = BY_FAULT, clean(message, 2000)

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), indent=1)

    def write(self, folder: Path) -> None:
        """Write beside the record, and rename."""
        workspace.write(folder / NAME, self.to_json().encode())

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The record in a folder, None where there is none that can be understood."""
        try:
            fields = json.loads((folder / NAME).read_text(encoding="utf-8"))
            report = UnitReport.from_json(json.dumps(fields["report"]))
            return cls(**fields | {"report": report})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
