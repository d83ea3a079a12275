"""The trusted side: starts a worker, asks it, and waits no longer than it may.

Whatever the worker does, a request ends in a reply, or in a `WorkerError` that says how it failed,
before the clock runs out. A fault that cannot be the student's is a `GraderFault`.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np

from exercises.grading import protocol, warden
from exercises.grading.sandbox import Level, Limits

PROGRAM = Path(__file__).with_name("worker.py")
#: seconds for the worker's start, on a machine that is busy; and for its end
START_SECONDS, END_SECONDS = 60.0, 10.0
#: bytes of what the student prints that are kept, and lines of the student's file that are quoted
MAX_OUTPUT, MAX_QUOTED = 4000, 5


class GraderFault(Exception):
    """The grader failed, not the student."""


class WorkerError(Exception):
    """No answer came. `kind` says how it failed.

    Attributes
    ----------
    kind : 'error' (an exception), 'missing', 'unsendable', 'timeout', 'crash', 'exit', 'garbled'
    type : the exception's class, where there was one
    text : what is known about it
    lines : the lines of the student's file that it came through
    """

    def __init__(self, kind: str, text: str = "", *, type: str = "", lines: tuple[int, ...] = ()):
        super().__init__(f"{kind}: {type} {text}")
        self.kind, self.type, self.text, self.lines = kind, type, text, lines


class Worker:
    """One process, for one student's module.

    Parameters
    ----------
    seconds : how long loading and all calls together may take
    limits : what the process may use
    level : the confinement that is asked for; a lower one is refused
    highest : the confinement that is tried for

    Attributes
    ----------
    level, notes : the confinement reached, and what was refused

    Raises
    ------
    GraderFault
        when no worker can be started, or it is confined less than asked for
    """

    def __init__(
        self,
        *,
        seconds: float = 10.0,
        limits: Limits | None = None,
        level: Level = Level.PROCESS,
        highest: Level = Level.NAMESPACES,
    ):
        self.left = seconds
        self.highest = highest
        self.limits = limits or Limits()
        self._n_requests = 0
        self._output, self._buffer = bytearray(), bytearray()
        self._chunks: queue.Queue[bytes] = queue.Queue(maxsize=16)
        self._ended = threading.Event()
        self._lifeline: int | None = None
        self._start()
        try:
            ready = self._expect_ready()
            self.level, self.notes = Level(ready["level"]), list(ready["notes"])
            if self.level < level:
                raise GraderFault(
                    f"the worker is confined to the level {self.level.label!r}, and "
                    f"{level.label!r} is asked for ({'; '.join(self.notes) or 'not offered here'})"
                )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def output(self) -> str:
        """What the student's module has printed, its beginning only."""
        return bytes(self._output[:MAX_OUTPUT]).decode(errors="replace")

    # ---- starting and ending

    def _start(self) -> None:
        options = {
            "numpy": str(Path(np.__file__).parent.parent),
            "limits": asdict(self.limits),
            "lifeline": None,
            "highest": int(self.highest),
        }
        theirs: tuple[int, ...] = ()
        if sys.platform == "linux":
            reading, self._lifeline = os.pipe()
            theirs = (reading,)
            options["lifeline"] = reading
        kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
        threads = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", str(PROGRAM), json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=os.path.abspath(os.sep),
                env=kept | threads | {"LC_ALL": "C.UTF-8"},
                start_new_session=os.name == "posix",
                pass_fds=theirs,
            )
        except OSError as error:
            if self._lifeline is not None:
                os.close(self._lifeline)
            raise GraderFault(f"no worker can be started: {error}") from None
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self._threads = [
            threading.Thread(target=task, args=(stream.fileno(),), daemon=True)
            for task, stream in (
                (self._take_replies, self._process.stdout),
                (self._take_output, self._process.stderr),
            )
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the worker and all that it has started; GraderFault where something survives."""
        self._ended.set()
        code = self._end()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        for thread in self._threads:
            thread.join(1.0)
        if not any(thread.is_alive() for thread in self._threads):
            self._process.stdout.close()
            self._process.stderr.close()
        if code is None or code == warden.SURVIVED:
            raise GraderFault("a process of the worker's could not be ended")

    def _end(self) -> int | None:
        """Ask the warden, else the process group; the exit code, None if it does not end."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        elif self._process.poll() is None and sys.platform != "linux":
            self._kill()
        try:
            return self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
        try:
            return self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()

    # ---- asking

    def load(self, source: bytes, name: str) -> None:
        """Run the student's source as a module; WorkerError when that fails."""
        source_array = np.frombuffer(source, dtype=np.uint8)
        self.request({"kind": "load", "name": name, "source": source_array}, "loaded")

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The reply to one call: its `value`, and the names of arguments that it `changed`."""
        request = {"kind": "call", "name": name, "arguments": arguments}
        reply = self.request(request, "answer")
        changed = reply.get("changed")
        sound = isinstance(changed, list) and all(type(each) is str for each in changed)
        if "value" not in reply or not sound or not arguments.keys() >= set(changed):
            raise WorkerError("garbled", "the reply is incomplete")
        return reply

    def request(self, message: dict[str, Any], wanted: str) -> dict[str, Any]:
        """The reply of the kind that is wanted; WorkerError for any other, or none."""
        self._n_requests += 1
        frame = protocol.dump(message | {"id": self._n_requests})
        started = time.monotonic()
        threading.Thread(target=self._send, args=(frame,), daemon=True).start()
        try:
            reply = self._receive(started + self.left)
        finally:
            self.left -= time.monotonic() - started
        # Each part may be anything that a message can hold, an array for a number too.
        kind, number, text = reply.get("kind"), reply.get("id"), reply.get("text")
        if type(number) is not int or number != self._n_requests or type(kind) is not str:
            raise WorkerError("garbled", "the reply belongs to no question")
        if kind == wanted:
            return reply
        if kind not in ("error", "missing", "unsendable") or type(text) is not str:
            raise WorkerError("garbled", "the reply is of no known kind")
        name, lines = reply.get("type"), reply.get("lines")
        lines = [n for n in lines if type(n) is int] if type(lines) is list else []
        name = name if type(name) is str else ""
        raise WorkerError(kind, text, type=name, lines=tuple(lines[-MAX_QUOTED:]))

    def _send(self, frame: bytes) -> None:
        rest = memoryview(frame)
        with contextlib.suppress(OSError, ValueError):  # whoever waits for the reply will see it
            while rest:
                rest = rest[self._process.stdin.write(rest) :]

    def _expect_ready(self) -> dict[str, Any]:
        """The worker's first word, said before any of the student's code could run."""
        try:
            reply = self._receive(time.monotonic() + START_SECONDS)
        except WorkerError as error:
            raise GraderFault(f"the worker did not start ({error}): {self.output}") from None
        if reply.get("kind") != "ready":
            raise GraderFault("the worker did not start: its first word is not known")
        return reply

    def _receive(self, deadline: float) -> dict[str, Any]:
        """The next message; WorkerError if none comes in time, or none that can be read."""
        try:
            return protocol.load(self._reader(deadline))
        except protocol.ProtocolError as error:
            raise WorkerError("garbled", str(error)) from None
        except MemoryError:
            raise WorkerError("garbled", "the reply is too large") from None

    def _reader(self, deadline: float) -> Callable[[int], bytes]:
        def read(n: int) -> bytes:
            while len(self._buffer) < n:
                try:
                    chunk = self._chunks.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    raise WorkerError("timeout") from None
                if not chunk:
                    raise self._why_it_ended()
                self._buffer += chunk
                if time.monotonic() > deadline:  # a drip at a time would never be empty
                    raise WorkerError("timeout")
            taken = bytes(self._buffer[:n])
            del self._buffer[:n]
            return taken

        return read

    def _why_it_ended(self) -> WorkerError:
        """The pipe has ended: how did the process?"""
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return WorkerError("exit", "it closed its connection")
        number = code - warden.BY_SIGNAL if code > warden.BY_SIGNAL else -code
        if number <= 0:
            return WorkerError("exit")
        names = {signal.Signals(number).name} if number in list(signal.Signals) else {str(number)}
        return WorkerError("crash", *names)

    # ---- threads: what comes in is taken at once, so that no pipe is ever full

    def _take_replies(self, descriptor: int) -> None:
        chunk = b"first"
        while chunk and not self._ended.is_set():
            try:
                chunk = os.read(descriptor, 2**16)
            except OSError:
                chunk = b""
            while not self._ended.is_set():
                with contextlib.suppress(queue.Full):
                    self._chunks.put(chunk, timeout=0.1)
                    break

    def _take_output(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(descriptor, 2**16):
                if len(self._output) < MAX_OUTPUT:
                    self._output += chunk
