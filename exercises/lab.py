"""JupyterLab in the learner's copy: started, waited for, shown, and ended with all its kernels."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import webbrowser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

from exercises import workspace
from exercises.common import BY_UV, ROOT, CourseError, MissingError, kernel_environment

#: ports that are tried first, so that a browser finds the same address again
USUAL_PORTS = range(8888, 8908)
#: seconds that a slow machine gets for the start, and a busy server for its end
START_SECONDS, END_SECONDS = 120, 10


def run(
    *, host: str, port: int | None, browser: bool, verbose: bool = False, root: Path = ROOT
) -> int:
    """Bring the learner's copy up to date, and serve it until Ctrl-C or until JupyterLab is shut.

    Parameters
    ----------
    host : address to listen on
    port : the port wanted; None takes a free one
    browser : whether to open a browser where there is a screen
    verbose : whether the server's own messages are shown

    Raises
    ------
    MissingError
        when JupyterLab is not installed, or the course has no notebooks
    CourseError
        when the port is taken, or the server fails
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingError(
            f"JupyterLab is not installed here; start it as `{BY_UV} lab`, which installs it"
        )
    port = free_port(host, port)
    changes = str(workspace.update(root))
    if changes:
        print(changes, flush=True)
    token = secrets.token_hex(24)
    reached = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    base = f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
    folder = root / workspace.FOLDER
    with tempfile.TemporaryFile() as log, ended_by_signals():
        server = None
        try:
            server = start(folder, host, port, token, None if verbose else log)
            wait_until_it_answers(server, base, token, log)
            url = f"{base}{landing(folder)}?token={token}"
            # The address stands alone on its line: easy to copy, and to find for a program.
            print(f"JupyterLab is running. Its address:\n\n{url}\n", flush=True)
            print(f"Your work is in {folder}. Ctrl-C here ends JupyterLab.", flush=True)
            if browser and has_screen(os.environ, sys.platform):
                webbrowser.open(url)
            if server.wait() != 0:
                raise CourseError(f"JupyterLab failed:\n{tail(log)}")
            print("JupyterLab has ended.")
        except KeyboardInterrupt:
            print("\nEnding JupyterLab ...", flush=True)
        finally:
            if server is not None:
                end(server)
    return 0


def start(
    folder: Path, host: str, port: int, token: str, log: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    """Start the server as a child. It is out of the terminal's reach: only we are told of Ctrl-C,
    and the child does not ask whether it is meant.
    """
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser"),
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.ip={host}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        # No questions about news, and no calls to other machines.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return subprocess.Popen(
        command,
        cwd=folder,
        # In the environment the token is out of sight of other users; on the command line not.
        env=kernel_environment() | {"JUPYTER_TOKEN": token},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT if log else None,
        start_new_session=os.name == "posix",
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def end(server: subprocess.Popen[bytes]) -> None:
    """End the server; first politely, so that it ends its kernels, then not."""
    for number in endings():  # a second Ctrl-C must not cut this short
        signal.signal(number, signal.SIG_IGN)
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_until_it_answers(
    server: subprocess.Popen[bytes], base: str, token: str, log: IO[bytes]
) -> None:
    """Return once the server knows our token; CourseError if it ends or stays silent."""
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(
        f"{base}/api/status", headers={"Authorization": f"token {token}"}
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise CourseError(f"JupyterLab did not start:\n{tail(log)}")
        try:
            with no_proxy.open(request, timeout=5):
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    raise CourseError(f"JupyterLab did not answer for {START_SECONDS} seconds:\n{tail(log)}")


def landing(folder: Path) -> str:
    """The path of the first page: the first notebook, or the file list if it is not there."""
    if (folder / workspace.FIRST).is_file():
        return f"/lab/tree/{quote(workspace.FIRST)}"
    return "/lab/tree/notebooks"


def free_port(host: str, wanted: int | None = None) -> int:
    """A port that nobody listens on: the one wanted, else a usual one, else any.

    Raises CourseError when the wanted one is taken or not allowed, or the host is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    refusal: OSError | None = None
    for port in (wanted,) if wanted is not None else (*USUAL_PORTS, 0):
        with socket.socket(family) as probe:
            if os.name == "posix":  # a port whose last connection just closed is free
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                refusal = error
            else:
                return probe.getsockname()[1]
    if wanted is not None:
        raise CourseError(
            f"port {wanted} on {host} cannot be used ({refusal.strerror or refusal}); "
            "leave --port out to get a free one"
        )
    raise CourseError(f"cannot listen on {host} ({refusal}); leave --host out")


def has_screen(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a browser could be seen: a display on Linux, a desktop on macOS and Windows."""
    if platform == "win32":
        return True
    if platform == "darwin":
        return "SSH_CONNECTION" not in environment
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def endings() -> list[signal.Signals]:
    """The signals that ask us to end, as far as this system has them."""
    return [s for n in ("SIGINT", "SIGTERM", "SIGHUP") if (s := getattr(signal, n, None))]


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within, a closed terminal or a polite kill ends us as Ctrl-C does, so that no child stays.

    Ctrl-C is set too: a shell that starts us in the background has it ignored.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in endings()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tail(log: IO[bytes], n_lines: int = 30) -> str:
    """The last lines of the server's messages, indented."""
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()[-n_lines:]
    return "\n".join(f"  {line}" for line in lines) or "  (see its messages above)"
