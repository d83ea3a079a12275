"""The process between grader and worker: it starts the worker, and ends all that it has started.

A worker may leave its process group, fork twice, and let daemons behind. The warden is their
foster parent (a "subreaper"): whatever loses its parent becomes its child, and is killed. It does
so when the worker ends, and when the grader closes the lifeline, which also happens when the
grader dies. Linux only; elsewhere the grader kills the worker's process group.

The worker loads this module: standard library only.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable

from . import sandbox

#: seconds between two looks at the worker, and the most that killing may take
LOOK_SECONDS, KILL_SECONDS = 0.02, 5.0
#: exit codes: a signal ended the worker (this plus its number); something could not be killed
BY_SIGNAL, SURVIVED = 128, 125


def guard(
    lifeline: int,
    work: Callable[[sandbox.Confinement, int], None],
    highest: int = sandbox.Level.NAMESPACES,
) -> None:
    """Run `work` in a child, wait for its end or the lifeline's, kill the rest, and exit.

    Parameters
    ----------
    lifeline : the reading end of a pipe that only the grader can close
    work : what the child does, given the record of its confinement and a number of its own
    highest : the level to go up to
    """
    sandbox.prctl(sandbox.PR_SET_CHILD_SUBREAPER, 1)
    done = sandbox.Confinement()
    if highest >= sandbox.Level.NAMESPACES:
        sandbox.enter_namespaces(done)
    sandbox.hide_memory()
    number = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            os.close(lifeline)
            work(done, number)
        finally:
            os._exit(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):  # so that the worker's end is the end of its pipes
        os.dup2(nowhere, descriptor)
    code = wait(child, lifeline)
    try:
        ended = end_children()
    except OSError:  # who its children are cannot be seen
        ended = False
    os._exit(code if ended else SURVIVED)


def wait(child: int, lifeline: int) -> int:
    """Until the child or the lifeline ends: the child's exit code, 0 where it still runs."""
    poller = select.poll()
    poller.register(lifeline, select.POLLIN)
    while True:
        ended = poller.poll(LOOK_SECONDS * 1000)
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == child:
            if os.WIFSIGNALED(status):
                return BY_SIGNAL + os.WTERMSIG(status)
            return os.WEXITSTATUS(status) % SURVIVED
        if ended:
            return 0


def end_children() -> bool:
    """Kill until no child is left; False where one cannot be killed."""
    deadline = time.monotonic() + KILL_SECONDS
    while time.monotonic() < deadline:
        for pid in children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        time.sleep(0.002)
    return False


def children() -> list[int]:
    """The processes whose parent this one is, as /proc has them."""
    found, me = [], os.getpid()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    # pid (name) state parent …; the name may hold anything, brackets too
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == me:
                found.append(int(name))
    return found
