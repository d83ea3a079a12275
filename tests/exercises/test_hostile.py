"""Hostile and broken submissions: each comes to the outcome it must, and nothing stays behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from exercises.common import ROOT
from exercises.grading import client, expect, warden
from exercises.grading.client import Worker
from exercises.grading.sandbox import LEVELS, Level, Limits
from exercises.grading.student import NotAttempted, Student, StudentError

CORPUS = tomllib.loads(
    (Path(__file__).parent / "hostile" / "corpus.toml").read_text(encoding="utf-8")
)
X = np.array([1.0, 2.0])
#: the clock of those that never end, and of the others, on a machine that is busy
SHORT, LONG = 1.0, 30.0
LIMITS = Limits(memory=400 * 2**20, cpu_seconds=4, processes=6)
#: the confinements that the corpus must not get through: all there is, and where a system allows
#: an ordinary user no namespaces
HIGHEST = [Level.NAMESPACES, Level.LANDLOCK]


@pytest.fixture(scope="module")
def reached():
    """The level that this machine offers; skips where the dangerous half is not held."""
    if sys.platform != "linux":
        pytest.skip("the sandbox holds on Linux only")
    with Worker(limits=LIMITS) as worker:
        level = worker.level
        if level < Level.NO_PRIVILEGE:
            pytest.skip(f"the sandbox reaches only the level {level.label!r} here")
        bound = (
            b"import os, time\n"
            b"def children():\n"
            b"    n = 0\n"
            b"    for _ in range(50):\n"
            b"        try:\n"
            b"            pid = os.fork()\n"
            b"        except OSError:\n"
            b"            return n\n"
            b"        if pid == 0:\n"
            b"            time.sleep(100)\n"
            b"        n += 1\n"
            b"    return n\n"
        )
        worker.load(bound, "bound")
        assert worker.call("children", {})["value"] <= LIMITS.processes
    return level


@pytest.fixture
def marked(tmp_path, monkeypatch):
    """The worker's program under a path of this test's own, by which its processes are known."""
    folder = tmp_path / "worker"
    folder.mkdir()
    for name in ("worker", "protocol", "sandbox", "landlock", "seccomp", "warden"):
        shutil.copy(ROOT / "exercises" / "grading" / f"{name}.py", folder)
    monkeypatch.setattr(client, "PROGRAM", folder / "worker.py")
    return str(folder)


@pytest.fixture
def secret():
    """A file with the answer that any user of this machine may read, but for the sandbox."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "secret.txt")
        path.write_text("2.0")
        os.chmod(folder, 0o755)
        path.chmod(0o644)
        yield path


@pytest.fixture
def listener():
    """A port on this machine, by TCP and UDP, that nobody shall reach."""
    with (
        socket.socket() as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(tcp.getsockname())
        for line in (tcp, udp):
            line.setblocking(False)
        yield tcp.getsockname()[1]
        with pytest.raises(BlockingIOError):
            tcp.accept()
        with pytest.raises(BlockingIOError):
            udp.recv(100)


def running(mark: str) -> list[int]:
    """The processes whose command line has the mark."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark.encode() in Path("/proc", name, "cmdline").read_bytes():
                found.append(int(name))
        except OSError:  # it has ended
            continue
    return found


def outcome(path: Path, **options) -> tuple[str, str, str]:
    """What the grader comes to, its message, and what was printed."""
    with Student(path, **options) as student:
        try:
            expect(student.call("answer", x=X), right=2 * X)
        except NotAttempted:
            return "not attempted", "", student.output
        except StudentError as error:
            return error.kind, str(error), student.output
        return "right", "", student.output


@pytest.mark.slow
@pytest.mark.parametrize("highest", HIGHEST, ids=lambda level: level.label)
@pytest.mark.parametrize("name", CORPUS)
def test_hostile_submission_comes_to_its_outcome(
    name, highest, reached, marked, secret, listener, tmp_path
):
    case = CORPUS[name]
    if LEVELS[case.get("needs", "process")] > min(highest, reached):
        pytest.skip(f"wants the level {case['needs']!r}")
    marks = secret.with_name("marks.json")
    code = case["code"]
    for word, value in (
        *(("root", ROOT), ("secret", secret), ("marks", marks)),
        *(("grader", os.getpid()), ("port", listener)),
    ):
        code = code.replace(f"{{{word}}}", str(value))
    path = tmp_path / "unit.py"
    path.write_text(code, encoding="utf-8")
    seconds = SHORT if case["outcome"] == "timeout" else LONG
    kind, message, printed = outcome(path, seconds=seconds, limits=LIMITS, highest=highest)
    assert kind == case["outcome"], message
    assert running(marked) == []
    assert [path.name for path in secret.parent.iterdir()] == [secret.name]
    assert secret.read_text() == "2.0"
    assert secret.stat().st_mode & 0o777 == 0o644
    assert len(printed) <= 4100
    assert (message + printed).replace("\n", "").isprintable()
    assert len(message) < 3000


def test_every_case_has_an_outcome():
    assert all(case.keys() <= {"outcome", "code", "needs"} for case in CORPUS.values())
    assert all(case.get("needs", "process") in LEVELS for case in CORPUS.values())


# Files that are none


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "cannot be read|not an ordinary file"),
        (lambda path: os.mkfifo(path), "not an ordinary file"),
        (lambda path: path.symlink_to("nowhere"), "cannot be read"),
        (lambda path: path.symlink_to("/dev/zero"), "not an ordinary file"),
        (lambda path: path.write_bytes(b"#" * 2**21), "larger than"),
    ],
    ids=["folder", "pipe", "dangling link", "device", "large"],
)
@pytest.mark.skipif(os.name != "posix", reason="files of this kind are on POSIX systems only")
def test_what_is_no_file_is_no_answer(tmp_path, make, said):
    path = tmp_path / "unit.py"
    make(path)
    with Student(path) as student, pytest.raises(StudentError, match=said):
        student.call("answer", x=X)


def test_bytes_that_are_no_text_are_a_syntax_error(tmp_path):
    path = tmp_path / "unit.py"
    path.write_bytes(b"\xff\xfe\x00def")
    assert outcome(path)[0] == "syntax"


# The grader itself


def test_grader_that_dies_takes_the_worker_along(reached, marked):
    grader = (
        "from pathlib import Path; from exercises.grading import client\n"
        f"client.PROGRAM = Path({marked!r}, 'worker.py')\n"
        "worker = client.Worker(seconds=1000)\n"
        "worker.load(b'import time; time.sleep(1000)', 'sleeper')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", grader], cwd=ROOT)
    deadline = time.monotonic() + 60

    def workers():
        return [pid for pid in running(marked) if pid != process.pid]

    while len(workers()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(workers()) == 2
    process.kill()
    process.wait()
    while workers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert workers() == []


def test_worker_dies_with_its_warden(reached, marked):
    worker = Worker(limits=LIMITS, highest=Level.LANDLOCK)
    assert len(running(marked)) == 2
    os.kill(worker._process.pid, 9)
    deadline = time.monotonic() + 20
    while running(marked) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(marked) == []
    worker.close()


@pytest.mark.skipif(sys.platform != "linux", reason="there is a warden on Linux only")
def test_warden_that_cannot_see_its_children_says_that_something_may_be_left():
    program = (
        "import os; from exercises.grading import warden\n"
        "def blind(): raise OSError('too many open files')\n"
        "warden.children = blind\n"
        "warden.guard(os.pipe()[0], lambda done, number: None, highest=0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == warden.SURVIVED


def test_confinement_below_the_one_asked_for_is_refused(reached):
    with pytest.raises(client.GraderFault, match="is asked for"):
        Worker(level=Level.LANDLOCK, highest=Level.NO_PRIVILEGE)


def test_worker_that_cannot_start_is_the_graders_fault(monkeypatch, tmp_path):
    monkeypatch.setattr(client, "PROGRAM", tmp_path / "nowhere.py")
    with pytest.raises(client.GraderFault, match="did not start"):
        Worker()
