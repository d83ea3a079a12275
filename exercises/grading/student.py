"""What a grader's test has in hand: the student's functions, each call of which gives an answer.

All that can go wrong in a call comes out as a `StudentError`, whose message a learner can read, or
as `NotAttempted` for a stub. Other exceptions are the grader's own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from exercises.grading.client import Worker, WorkerError
from exercises.grading.report import NOT_COUNTED, UNTOUCHED, Mark
from exercises.grading.sandbox import Level, Limits
from exercises.grading.wording import clean, describe, section, show, show_call

#: no module of a unit is longer than this, in bytes
MAX_SOURCE = 2**20

SIGNALS = {
    "SIGSEGV": "Python crashed: it read memory that is not its own (SIGSEGV).",
    "SIGKILL": "it was ended by the system: too much memory or time (SIGKILL).",
    "SIGXCPU": "it used more time than it may (SIGXCPU).",
}


class StudentError(AssertionError):
    """The answer is wrong, or there is none; the message is for the learner.

    Attributes
    ----------
    kind : 'wrong', 'syntax', or a kind of `WorkerError`
    misconception : the sentence that names the error, where it is a known one
    """

    def __init__(self, message: str, kind: str = "wrong", misconception: str = ""):
        super().__init__(message)
        self.kind, self.misconception = kind, misconception


class NotAttempted(Exception):
    """The function is still a stub."""

    words = "not attempted yet"

    def __init__(self, function: str):
        super().__init__(f"{self.words}: {function}")
        self.function = function


class Untouched(NotAttempted):
    """The function is one that was handed out with an error in it, and still has it."""

    words = UNTOUCHED


class NotCounted(Exception):
    """The test is passed, but its points count only once another one is passed too."""

    def __init__(self, first: Mark):
        shown = f"{first.test} ({first.claim})" if first.visibility == "visible" else "another test"
        super().__init__(f"{NOT_COUNTED}: first make {shown} pass")


@dataclass(frozen=True)
class Answer:
    """What came back from one call.

    Attributes
    ----------
    function, arguments : the call
    value : what came back; nothing about it is certain
    changed : the arguments that the call changed in place
    """

    function: str
    arguments: dict[str, Any]
    value: Any
    changed: list[str] = field(default_factory=list)

    def array(
        self, shape: tuple[int, ...], part: int | None = None, n_parts: int = 0
    ) -> np.ndarray:
        """The value as numbers of this shape, or one part of a tuple; StudentError if it is not.

        Graders that compute with an answer take it from here, so that no answer can surprise them.

        Parameters
        ----------
        shape : of the numbers; () for a single one
        part, n_parts : which part of a tuple, and how many parts it must have, no more and no less
        """
        value = self.value
        if part is not None:
            is_tuple = isinstance(value, (list, tuple)) and len(value) == n_parts
            value = value[part] if is_tuple else None
        array = as_numbers(value)
        if array is None or array.shape != shape:
            what = "a number" if shape == () else f"an array of shape {shape}"
            if part is not None:
                what = f"a tuple of {n_parts}, and at [{part}] {what}"
            raise self.wrong("does not give what it should", expected=what)
        return array

    def wrong(
        self, headline: str, *, expected: str, details: str = "", misconception: str = ""
    ) -> StudentError:
        """The error to raise: what was called, what came back, what was expected, and why."""
        if self.value is None and not misconception:
            misconception = "None comes back from a function without a `return`."
        parts = [
            f"{self.function} {headline}.",
            "\n".join(
                [
                    section("called", show_call(self.function, self.arguments)),
                    section("came back", describe(self.value) + "\n" + show(self.value)),
                    section("expected", expected),
                    *([section("difference", details)] if details else []),
                ]
            ),
        ]
        if misconception:
            parts.append(misconception)
        return StudentError("\n\n".join(parts), misconception=misconception)


def as_numbers(value: Any) -> np.ndarray | None:
    """A number, an array or nested lists of numbers as an array of real numbers, else None."""
    if not holds_numbers(value):
        return None
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if array.dtype.kind not in "fiub":
        return None
    return array.astype(np.float64, copy=False)


def holds_numbers(value: Any) -> bool:
    """Whether there are only numbers in it. NumPy would make each text as long as the longest."""
    if isinstance(value, (list, tuple)):
        return all(map(holds_numbers, value))
    return isinstance(value, (bool, int, float, np.ndarray, np.generic))


class Student:
    """The functions of one student's file, each run in a worker; a context manager.

    The worker starts with the first call. After an error it is gone; the next test has its own.
    The parameters are those of `Worker`; `started` is told of it before the student's code runs.
    """

    def __init__(
        self,
        path: Path,
        *,
        seconds: float = 10.0,
        limits: Limits | None = None,
        level: Level = Level.PROCESS,
        highest: Level = Level.NAMESPACES,
        started: Callable[[Worker], None] = lambda worker: None,
    ):
        self.path = path
        self.options = {"seconds": seconds, "limits": limits, "level": level, "highest": highest}
        self.seconds = seconds
        self.started = started
        self.source = b""
        self._worker: Worker | None = None

    def __enter__(self) -> Student:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def output(self) -> str:
        """What the student's code printed."""
        return clean(self._worker.output, 4000) if self._worker else ""

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.close()

    def call(self, function: str, /, **arguments: Any) -> Answer:
        """Call one of the student's functions.

        Parameters
        ----------
        function : its name
        **arguments : arrays, numbers, texts, lists of them; a `Seed` arrives as a Generator

        Raises
        ------
        NotAttempted
            when the function is still a stub
        StudentError
            when no answer came
        """
        if self._worker is None:
            self._load()
        try:
            reply = self._worker.call(function, arguments)
        except WorkerError as error:
            if error.type == "NotImplementedError":
                raise NotAttempted(function) from None
            called = section("called", show_call(function, arguments))
            raise self._failed(f"{function} gives no answer: ", error, called) from None
        return Answer(function, arguments, reply["value"], reply["changed"])

    def _load(self) -> None:
        self.source = read_source(self.path)
        self._worker = Worker(**self.options)
        self.started(self._worker)
        try:
            self._worker.load(self.source, self.path.stem)
        except WorkerError as error:
            raise self._failed(f"{self.path.name} cannot be loaded: ", error) from None

    def _failed(self, headline: str, error: WorkerError, called: str = "") -> StudentError:
        """The failure of a call in words."""
        kind = error.kind
        if kind == "error" and error.type in ("SyntaxError", "IndentationError", "TabError"):
            kind = "syntax"
        parts = [headline + self._reason(error), *([called] if called else [])]
        if error.lines:
            parts.append("\n".join(self._quote(n) for n in error.lines))
        return StudentError("\n\n".join(parts), kind)

    def _reason(self, error: WorkerError) -> str:
        name = self.path.name
        text = clean(error.text)
        match error.kind:
            case "missing" if text == "missing":
                return f"there is no such function in {name}. Was it renamed or removed?"
            case "missing":
                return f"what stands under this name in {name} is not a function."
            case "timeout":
                return f"it took longer than {self.seconds:g} seconds. Is there a loop without end?"
            case "crash":
                return SIGNALS.get(text, f"Python was ended by a signal ({text}).")
            case "exit":
                return "it ended the program. Return a value instead."
            case "garbled":
                return f"what it sent back cannot be read ({text})."
            case "unsendable":
                return f"it returned {text}. Return numbers or arrays of numbers."
        if error.type == "SystemExit":
            return "it ended the program (sys.exit). Return a value instead."
        if error.type == "EOFError":
            return "it waits for input; nobody types anything here. Use the arguments instead."
        if error.type == "ModuleNotFoundError":
            return f"{text}. Only NumPy and the standard library can be imported here."
        if error.type == "MemoryError":
            return "it needs more memory than it may use."
        return f"it raises {clean(error.type or 'an exception', 60)}: {text}".rstrip(": ")

    def _quote(self, number: int) -> str:
        """One line of the student's file."""
        lines = self.source.splitlines()
        text = lines[number - 1].decode(errors="replace") if 0 < number <= len(lines) else ""
        return f"  line {clean(number, 9)}:  {clean(text.strip(), 120)}"


def read_source(path: Path) -> bytes:
    """The bytes of a student's file; StudentError where it is no ordinary file of ordinary size."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise StudentError(f"{path.name} is not an ordinary file.", "unreadable")
            source = file.read(MAX_SOURCE + 1)
    except OSError as error:
        raise StudentError(f"{path.name} cannot be read: {error.strerror}.", "unreadable") from None
    if len(source) > MAX_SOURCE:
        raise StudentError(f"{path.name} is larger than {MAX_SOURCE >> 10} kB.", "unreadable")
    return source
