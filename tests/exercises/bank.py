"""The bank of answers: right ones and wrong ones to every function of every unit.

The table of what the graders say of them:

    python -m tests.exercises.bank
"""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import inspect
import io
import sys
import tempfile
import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from exercises.common import ROOT
from exercises.grading import Seed
from exercises.grading.report import Mark, UnitReport
from exercises.grading.student import Answer, StudentError
from exercises.grading.units import Unit, find_unit

FOLDER = Path(__file__).with_name("answers")


@dataclass(frozen=True)
class Entry:
    """One answer to one function.

    Attributes
    ----------
    unit, function : what it answers
    about : how it is written, or what is wrong with it
    source : a whole student's file: the reference, then the answer
    right : whether it is right
    named : a part of the sentence that must come back, empty where none must
    """

    unit: str
    function: str
    about: str
    source: str
    right: bool
    named: str = ""

    def __str__(self) -> str:
        return f"{self.unit} {self.function}: {self.about}"


def entries() -> list[Entry]:
    """All answers of the bank, those of `reference` too."""
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        bank = tomllib.loads(path.read_text(encoding="utf-8"))
        unit, reference = bank["unit"], bank["reference"]
        for name in dict.fromkeys(each["function"] for each in bank["right"] + bank["wrong"]):
            found.append(Entry(unit, name, "the reference", reference, True))
        for kind in ("right", "wrong"):
            for each in bank[kind]:
                source = f"{reference}\n\n{each['code']}"
                found.append(
                    Entry(
                        *(unit, each["function"], each["about"], source, kind == "right"),
                        named=each.get("named", ""),
                    )
                )
    return found


def grade(source: str | bytes, unit: Unit, *words: str) -> UnitReport:
    """A unit's report on a file with this text, from a pytest inside this process."""
    with tempfile.TemporaryDirectory() as folder:
        file, marks = Path(folder, unit.stub.name), Path(folder, "marks.json")
        file.write_bytes(source.encode() if isinstance(source, str) else source)
        command = [
            *("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-q"),
            *("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:nbval"),
            # Both look for garbage at the end, in all that the process around them holds: a sixth
            # of the time.
            *("-p", "no:unraisableexception", "-p", "no:threadexception"),
            *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
            *("--student", str(file), "--marks", str(marks), *words, str(unit.grader)),
        ]
        with contextlib.redirect_stdout(io.StringIO()) as said:
            pytest.main(command)
        assert marks.is_file(), said.getvalue()
        return UnitReport.from_json(marks.read_text(encoding="utf-8"))


def judge(entry: Entry) -> list[Mark]:
    """The marks of the tests that are about the entry's function."""
    return grade(entry.source, find_unit(entry.unit), "--only", entry.function).marks


class Direct:
    """Stands for `student`: runs an answer of the bank, which is ours, without a worker."""

    def __init__(self, source: str):
        self.functions: dict[str, Any] = {}
        exec(source, self.functions)

    def call(self, function: str, /, **arguments: Any) -> Answer:
        """As `Student.call`."""
        given = {
            name: np.random.default_rng(value.value)
            if isinstance(value, Seed)
            else copy.deepcopy(value)
            for name, value in arguments.items()
        }
        try:
            with np.errstate(all="ignore"):
                value = self.functions[function](**given)
        except Exception as error:
            message = f"{function}: it raises {type(error).__name__}: {error}"
            raise StudentError(message, "error") from None
        arrays = [name for name, each in given.items() if isinstance(each, np.ndarray)]
        changed = [name for name in arrays if not np.array_equal(given[name], arguments[name])]
        return Answer(function, arguments, value, changed)


def judge_directly(entry: Entry, seed: int) -> list[StudentError]:
    """What the tests of the entry's function object to, with inputs from this seed."""
    return [error for _, error in verdicts(entry, seed) if error is not None]


def verdicts(entry: Entry, seed: int) -> list[tuple[str, StudentError | None]]:
    """Each test of the entry's function, and what it objects to, with inputs from this seed."""
    student, found = Direct(entry.source), []
    for name, test in vars(grader_of(find_unit(entry.unit))).items():
        marks = getattr(test, "pytestmark", ()) if name.startswith("test_") else ()
        if not any(m.name == "exercise" and m.args[0] == entry.function for m in marks):
            continue
        choices = [m.args for m in marks if m.name == "parametrize"]
        for extra in [{n: v} for n, values in choices for v in values] or [{}]:
            given: dict[str, Any] = {"student": student, **extra}
            if "inputs" in inspect.signature(test).parameters:
                given["inputs"] = np.random.default_rng([seed, zlib.crc32(name.encode())])
            try:
                with np.errstate(all="ignore"):
                    test(**given)
                found.append((name, None))
            except StudentError as error:
                found.append((name, error))
    return found


def grader_of(unit: Unit) -> ModuleType:
    """The unit's grader as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"grader_of_{unit.number}", unit.grader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table() -> str:
    """One line an answer: what it is, what it earned, and how its error was named."""
    lines = []
    for entry in entries():
        marks = judge(entry)
        points, most = sum(m.points for m in marks), sum(m.max_points for m in marks)
        sentence = next((m.misconception for m in marks if m.misconception), "")
        if not entry.right and not sentence:
            sentence = "(not named)"
        kind = "right" if entry.right else "wrong"
        lines.append(f"{kind}  {points:g}/{most:g}  {entry!s:<90.90}  {sentence:.90}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
