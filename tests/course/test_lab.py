"""JupyterLab really starts, shows the first notebook, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from exercises import lab
from exercises.common import ROOT, CourseError, MissingError, kernel_environment
from tests.course.conftest import write

HERE = "127.0.0.1"


def listening() -> socket.socket:
    """A socket that holds some port."""
    return socket.create_server((HERE, 0))


def get(url: str, **options) -> bytes:
    """What a server answers, asked directly and not through a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, **options), timeout=20) as answer:
        return answer.read()


# Ports


def test_free_port_can_be_listened_on():
    port = lab.free_port(HERE)
    with socket.create_server((HERE, port)) as server:
        assert server.getsockname()[1] == port


def test_taken_port_is_passed_over(monkeypatch):
    with listening() as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(lab, "USUAL_PORTS", [port])
        assert lab.free_port(HERE) not in (0, port)


def test_wanted_port_is_taken_at_its_word():
    with listening() as before:
        port = before.getsockname()[1]
    assert lab.free_port(HERE, port) == port


def test_wanted_port_that_is_taken_is_an_error():
    with listening() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CourseError, match=f"port {port} .* leave --port out"):
            lab.free_port(HERE, port)


def test_address_of_another_machine_is_an_error():
    with pytest.raises(CourseError, match="leave --host out"):
        lab.free_port("192.0.2.1")


# Browser and kernel


@pytest.mark.parametrize(
    ("environment", "platform", "screen"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "win32", True),
        ({}, "darwin", True),
        ({"SSH_CONNECTION": "192.0.2.1 22"}, "darwin", False),
    ],
)
def test_browser_opens_only_where_there_is_a_screen(environment, platform, screen):
    assert lab.has_screen(environment, platform) is screen


def test_kernel_of_this_environment_wins_over_one_at_home(tmp_path, monkeypatch):
    spec = {"argv": ["/bin/false"], "display_name": "another", "language": "python"}
    for place in (".local/share/jupyter", "Library/Jupyter", "on-a-path"):
        write(tmp_path / place / "kernels/python3/kernel.json", json.dumps(spec))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "on-a-path"))
    found = subprocess.run(
        [sys.executable, "-m", "jupyter_client.kernelspecapp", "list", "--json"],
        env=kernel_environment(),
        capture_output=True,
        check=True,
    )
    kernel = json.loads(found.stdout)["kernelspecs"]["python3"]
    assert kernel["resource_dir"].startswith(sys.prefix)


def test_landing_is_the_first_notebook(root):
    assert lab.landing(root) == "/lab/tree/notebooks/00_start_here.ipynb"


def test_without_jupyterlab_the_way_to_get_it_is_said(monkeypatch, root):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match="uv run course lab"):
        lab.run(host=HERE, port=None, browser=False, root=root)
    assert not (root / "my-course").exists()


# A server that does not start


def test_reason_of_a_failed_start_is_shown(monkeypatch, root):
    monkeypatch.setattr(lab.sys, "executable", write_failing_python(root))
    with pytest.raises(CourseError, match=r"(?s)did not start.*the disk is full"):
        lab.run(host=HERE, port=None, browser=False, root=root)


def write_failing_python(root) -> str:
    path = write(root / "python", "#!/bin/sh\necho the disk is full >&2\nexit 1\n")
    path.chmod(0o755)
    return str(path)


# A real one


@pytest.fixture
def course(root, tmp_path):
    """`course lab`, started in a copy of the command that takes `root` for the course."""
    for path in (ROOT / "exercises").glob("*.py"):
        shutil.copy(path, root / "exercises")
    home = {"HOME": str(tmp_path / "home"), "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    (tmp_path / "home").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "exercises.course", "lab"],
        cwd=root,
        env=os.environ | home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    yield process
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def address(process) -> str:
    """The line that is the address and nothing else."""
    for line in process.stdout:
        if re.fullmatch(r"http://127\.0\.0\.1:\d+/lab/tree/\S+\?token=\w+\n", line):
            return line.strip()
    raise AssertionError("no address was printed")


def start_kernel(url: str) -> int:
    """Start a kernel as a browser would; returns the number of its process."""
    base, token = url.split("/lab/")[0], url.split("token=")[1]
    get(
        f"{base}/api/kernels",
        data=b'{"name": "python3"}',
        method="POST",
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for path in glob_processes():
            if "ipykernel_launcher" in command_of(path) and is_below(path, os.getpid()):
                return int(path)
        time.sleep(0.1)
    raise AssertionError("no kernel was started")


def glob_processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def command_of(process: str) -> str:
    try:
        with open(f"/proc/{process}/cmdline", encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def is_below(process: str, ancestor: int) -> bool:
    """Whether a process descends from another."""
    while process not in ("0", "1"):
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8") as file:
                process = file.read().rpartition(")")[2].split()[1]
        except OSError:
            return False
        if int(process) == ancestor:
            return True
    return False


def is_alive(process: int) -> bool:
    """Whether a process runs; one that ended and was not yet asked for does not."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_lab_answers_at_the_address_that_it_prints(course, root):
    url = address(course)
    assert "/lab/tree/notebooks/00_start_here.ipynb?" in url
    assert b"JupyterLab" in get(url)
    base, token = url.split("/lab/")[0], url.split("token=")[1]
    first = json.loads(get(f"{base}/api/contents/notebooks/00_start_here.ipynb?token={token}"))
    assert first["content"]["cells"][0]["source"] == "1 + 1"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(f"{base}/api/contents/notebooks")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads the process table of Linux")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_end_is_quick_clean_and_leaves_no_process(course, number):
    url = address(course)
    kernel = start_kernel(url)
    started = time.monotonic()
    os.killpg(course.pid, number)  # to all of its group, as a terminal does
    output, _ = course.communicate(timeout=30)
    assert course.returncode == 0
    assert time.monotonic() - started < lab.END_SECONDS
    assert "Traceback" not in output
    assert "y/[n]" not in output  # JupyterLab's own question
    assert not is_alive(kernel)
    with pytest.raises(OSError, match="refused"):
        get(url)
