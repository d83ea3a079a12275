"""The untrusted side: a process that runs a student's module and answers calls. A program.

    python -I -S -B worker.py '{"numpy": …, "limits": …, "lifeline": …, "highest": …}'

Requests come in on the standard input, replies go out on the standard output, and what the
student prints goes out on the standard error. First comes `ready`, with the confinement reached,
before any of the student's code has run: it can be believed. All later replies are only claims.

It imports the standard library, NumPy and its three neighbours in this folder, never `dbnlib`.
"""

from __future__ import annotations

import importlib.abc
import json
import os
import sys
import types
from collections.abc import Callable
from typing import Any

FOLDER = os.path.dirname(os.path.abspath(__file__))
#: NumPy and the standard library are what an exercise may use
CLOSED = ("dbnlib", "exercises", "tests")


def main() -> None:
    """Set up, hand over to the warden where there is one, and serve."""
    options = json.loads(sys.argv[1])
    package = types.ModuleType("grading")
    package.__path__ = [FOLDER]
    sys.modules["grading"] = package
    from grading import sandbox

    def work(done: sandbox.Confinement, number: int) -> None:
        replies, requests = open_channels()
        sys.path.append(options["numpy"])
        from grading import protocol  # brings NumPy

        sys.path.remove(options["numpy"])
        limits = sandbox.Limits(**options["limits"])
        highest = sandbox.Level(options["highest"])
        sandbox.confine(limits, folders(options["numpy"]), number, done, highest)
        package.__path__ = []
        sys.argv[:] = [""]
        sys.meta_path.insert(0, Closed())
        ready = {"kind": "ready", "level": int(done.level), "notes": list(done.notes)}
        write(replies, protocol.dump(ready))
        Server(requests, replies, protocol).serve()

    if sys.platform == "linux" and options["lifeline"] is not None:
        from grading import warden

        warden.guard(options["lifeline"], work, options["highest"])
    work(sandbox.Confinement(), 0)


def open_channels() -> tuple[int, int]:
    """Descriptors for replies and requests; 0, 1 and 2 become what a student may use."""
    requests, replies = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    return replies, requests


def folders(numpy_parent: str) -> list[str]:
    """What stays importable: the standard library, its compiled part, and NumPy."""
    found = [os.path.dirname(os.__file__), os.path.join(numpy_parent, "numpy")]
    found += [path for path in sys.path if os.path.isdir(path)]
    return list(dict.fromkeys(path for path in found if path != numpy_parent))


class Closed(importlib.abc.MetaPathFinder):
    """Says of packages that hold the answers that they are not here."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """None, so that others look; ModuleNotFoundError for the packages named."""
        if name.partition(".")[0] in CLOSED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def write(descriptor: int, data: bytes) -> None:
    """All of the bytes."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_exactly(descriptor: int) -> Callable[[int], bytes]:
    """A function that reads n bytes, and ends the process when the grader has gone."""

    def read(n: int) -> bytes:
        parts = []
        while n:
            part = os.read(descriptor, min(n, 2**20))
            if not part:
                os._exit(0)
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    return read


class Server:
    """Answers one request after the other; each error becomes a reply."""

    def __init__(self, requests: int, replies: int, protocol: types.ModuleType):
        self.read = read_exactly(requests)
        self.replies = replies
        self.protocol = protocol
        self.module = types.ModuleType("unloaded")
        self.file = ""

    def serve(self) -> None:
        """Until the grader goes away."""
        while True:
            request = self.protocol.load(self.read)
            try:
                reply = self.load(request) if request["kind"] == "load" else self.call(request)
                frame = self.protocol.dump(reply | {"id": request["id"]})
            except self.protocol.UnsendableError as error:
                reply = {"kind": "unsendable", "text": str(error)[:200], "id": request["id"]}
                frame = self.protocol.dump(reply)
            except BaseException as error:
                frame = self.protocol.dump(self.failure(error) | {"id": request["id"]})
            flush()
            write(self.replies, frame)

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run the student's source as a module."""
        self.file = f"{request['name']}.py"
        self.module = types.ModuleType(request["name"])
        self.module.__file__ = self.file
        sys.modules[request["name"]] = self.module
        code = compile(request["source"].tobytes(), self.file, "exec")
        exec(code, self.module.__dict__)
        return {"kind": "loaded"}

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call a function of the module with the request's arguments."""
        function = vars(self.module).get(request["name"])
        if not callable(function):
            what = "missing" if function is None else "not a function"
            return {"kind": "missing", "text": what}
        arguments = {name: self.given(value) for name, value in request["arguments"].items()}
        before = {name: bytes_of(value) for name, value in arguments.items()}
        value = function(**arguments)
        changed = [name for name in arguments if bytes_of(arguments[name]) != before[name]]
        return {"kind": "answer", "value": value, "changed": changed}

    def given(self, value: Any) -> Any:
        """An argument as the student's function gets it: a Seed becomes a generator."""
        if isinstance(value, self.protocol.Seed):
            return self.protocol.np.random.default_rng(value.value)
        return value

    def failure(self, error: BaseException) -> dict[str, Any]:
        """What went wrong, and in which lines of the student's file."""
        lines, trace = [], error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.file:
                lines.append(trace.tb_lineno)
            trace = trace.tb_next
        if isinstance(error, SyntaxError) and error.filename == self.file:
            lines = [error.lineno or 1]
        try:
            text = str(error)[:500]
        except BaseException:
            text = ""
        known = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
        return {"kind": "error", "type": next(known, ""), "text": text, "lines": lines[-5:]}


def flush() -> None:
    """Send what was printed before the answer; a student may have put anything in its place."""
    try:
        sys.stdout.flush()
    except BaseException:
        return


def bytes_of(value: Any) -> Any:
    """The contents of an array, or of each array in a list, to see whether a call changes them."""
    if isinstance(value, (list, tuple)):
        return [part.tobytes() if hasattr(part, "tobytes") else None for part in value]
    return value.tobytes() if hasattr(value, "tobytes") else None


if __name__ == "__main__":
    main()
