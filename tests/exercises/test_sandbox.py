"""What the sandbox takes from a student's code, and what it must leave."""

from __future__ import annotations

import platform
import sys

import numpy as np
import pytest

from exercises.grading import landlock, seccomp
from exercises.grading.client import Worker, WorkerError
from exercises.grading.sandbox import LEVELS, Confinement, Level, Limits

linux = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox holds on Linux only")

STEPS = ("limits", "no_privilege", "landlock", "filtered", "namespaces")
LOOK = b"""
import os, resource, sys

def import_(name):
    __import__(name)
    return name in sys.modules

def status(word):
    with open("/proc/self/status") as file:
        return next(line.split()[1] for line in file if line.startswith(word))

def user():
    return [os.getuid(), os.geteuid(), os.getgid(), len(os.getgroups())]

def limit(name):
    return list(resource.getrlimit(getattr(resource, name)))

def environment():
    return sorted(os.environ)

def files():
    found = []
    for number in range(64):
        try:
            os.fstat(number)
            found.append(number)
        except OSError:
            pass
    return found

def on_path(word):
    return any(word in path for path in sys.path)

def threads(n):
    import threading
    started = [threading.Thread(target=len, args=("",)) for _ in range(n)]
    for thread in started:
        thread.start()
        thread.join()
    return n
"""


@pytest.fixture(scope="module", params=[Level.NAMESPACES, Level.PROCESS], ids=lambda x: x.label)
def worker(request):
    """A worker with all the confinement there is, and one with none."""
    with Worker(highest=request.param, seconds=60) as worker:
        worker.load(LOOK, "look")
        yield worker


@pytest.fixture(scope="module")
def confined():
    """A worker with all the confinement there is."""
    with Worker(seconds=60) as worker:
        worker.load(LOOK, "look")
        yield worker


def ask(worker, function, **arguments):
    """The value that comes back."""
    return worker.call(function, arguments)["value"]


# What is left


@pytest.mark.parametrize(
    "name",
    [
        *("numpy.linalg", "numpy.fft", "numpy.polynomial", "numpy.testing", "numpy.ma"),
        *("itertools", "functools", "math", "cmath", "operator", "collections", "dataclasses"),
        *("typing", "random", "statistics", "fractions", "decimal", "csv", "json", "string"),
        *("heapq", "bisect", "enum", "contextlib", "copy", "pprint", "unittest", "hashlib"),
    ],
)
def test_numpy_and_the_standard_library_can_be_imported(worker, name):
    assert ask(worker, "import_", name=name)


def test_threads_may_be_used(worker):
    assert ask(worker, "threads", n=3) == 3


# What is taken


@pytest.mark.parametrize("name", ["dbnlib", "dbnlib.rbm", "exercises", "tests", "scipy", "pytest"])
def test_nothing_else_can_be_imported(worker, name):
    with pytest.raises(WorkerError) as caught:
        ask(worker, "import_", name=name)
    assert caught.value.type == "ModuleNotFoundError"


def test_no_folder_of_packages_is_on_the_path(worker):
    assert not ask(worker, "on_path", word="site-packages")


def test_environment_tells_nothing(worker, monkeypatch):
    assert set(ask(worker, "environment")) <= {
        *("LC_ALL", "LC_CTYPE", "SYSTEMROOT"),
        *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    }


@linux
def test_worker_is_not_root(confined):
    real, effective, group, n_groups = ask(confined, "user")
    assert 0 not in (real, effective, group)
    if confined.level >= Level.NO_PRIVILEGE and real >= 61184:  # it was root's
        assert n_groups == 0


@linux
def test_limits_bind_for_good(confined):
    limits = Limits()
    assert ask(confined, "limit", name="RLIMIT_AS") == [limits.memory] * 2
    assert ask(confined, "limit", name="RLIMIT_FSIZE") == [0, 0]
    assert ask(confined, "limit", name="RLIMIT_NOFILE") == [limits.files] * 2


@linux
def test_no_file_of_the_graders_is_open(confined):
    # 0, 1, 2, the two channels, and the doors to the standard library and NumPy
    assert len(ask(confined, "files")) <= 8


# Levels


@linux
@pytest.mark.parametrize("highest", [Level.PROCESS, Level.LIMITS, Level.NO_PRIVILEGE])
def test_level_is_the_one_that_was_tried_for(highest):
    with Worker(highest=highest) as worker:
        assert worker.level == highest


@linux
def test_what_the_kernel_offers_is_used(confined):
    try:
        landlock.version()
    except OSError:
        pytest.skip("this kernel has no Landlock")
    if platform.machine() not in seccomp.MACHINES:
        pytest.skip("there is no filter for this machine")
    assert confined.level >= Level.LANDLOCK, confined.notes


@linux
def test_what_is_refused_is_noted(confined):
    assert bool(confined.notes) == (confined.level < Level.NAMESPACES)


@pytest.mark.parametrize(
    ("steps", "level"),
    [
        ({}, Level.PROCESS),
        ({"limits": True}, Level.LIMITS),
        ({"limits": True, "no_privilege": True, "landlock": True}, Level.NO_PRIVILEGE),
        ({name: True for name in STEPS if name != "namespaces"}, Level.LANDLOCK),
        ({name: True for name in STEPS if name != "filtered"}, Level.NAMESPACES),
        ({name: True for name in STEPS if name != "landlock"}, Level.NO_PRIVILEGE),
        ({"limits": True, "no_privilege": True, "namespaces": True}, Level.NO_PRIVILEGE),
        ({"landlock": True, "namespaces": True}, Level.PROCESS),
    ],
    ids=str,
)
def test_level_counts_only_with_all_below_it(steps, level):
    assert Confinement(**steps).level == level


def test_levels_have_names_for_reports():
    assert list(LEVELS) == ["process", "limits", "no-privilege", "landlock", "namespaces"]


# Asking


def test_answers_are_numbers_as_they_were_sent():
    with Worker() as worker:
        worker.load(b"def same(x, n):\n    return [x, n]\n", "same")
        x = np.arange(6.0).reshape(2, 3)
        value = ask(worker, "same", x=x, n=2.5)
    assert np.array_equal(value[0], x)
    assert value[1] == 2.5


def test_large_arrays_fit_through_the_pipes():
    with Worker() as worker:
        worker.load(b"def same(x):\n    return x\n", "same")
        x = np.random.default_rng(0).random(2**20)
        assert np.array_equal(ask(worker, "same", x=x), x)


def test_all_calls_of_a_test_share_one_clock():
    with Worker(seconds=1.0) as worker:
        worker.load(b"import time\ndef wait():\n    time.sleep(0.28)\n", "wait")
        ask(worker, "wait")
        ask(worker, "wait")
        ask(worker, "wait")
        with pytest.raises(WorkerError, match="timeout"):
            ask(worker, "wait")


def test_closing_twice_is_no_error():
    worker = Worker()
    worker.close()
    worker.close()
