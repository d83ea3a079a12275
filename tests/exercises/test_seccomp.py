"""The filter of system calls: what it denies, on each architecture, and that it holds here."""

from __future__ import annotations

import ctypes
import errno
import platform
import re
import struct
import sys
from pathlib import Path

import pytest

from exercises.grading import seccomp
from exercises.grading.client import Worker
from exercises.grading.sandbox import Level

HERE = platform.machine()
known = pytest.mark.skipif(
    sys.platform != "linux" or HERE not in seccomp.MACHINES,
    reason="the filter is for Linux on x86-64 and 64-bit ARM",
)
COLUMN = {"x86_64": 0, "aarch64": 1}
ALL = seccomp.DENIED | seccomp.DENIED_ON_OTHERS
CALL = b"""
import ctypes, errno, resource
libc = ctypes.CDLL(None, use_errno=True)

def call(number, first=-1):
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(number), ctypes.c_long(first), *[ctypes.c_long(-1)] * 5)
    return errno.errorcode.get(ctypes.get_errno(), "none")

def call_from_a_thread(number):
    import threading
    found = []
    thread = threading.Thread(target=lambda: found.append(call(number)))
    thread.start()
    thread.join()
    return found[0]

def lower_limit():
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
    return list(resource.getrlimit(resource.RLIMIT_NOFILE))

def pair():
    import socket
    left, right = socket.socketpair()
    left.sendall(b"x")
    return len(right.recv(1))
"""


#: the kernel's own tables of numbers, where its headers are installed
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_those_of_the_kernels_headers(machine):
    if not HEADERS[machine].is_file():
        pytest.skip("the kernel's headers are not installed")
    text = HEADERS[machine].read_text(encoding="utf-8")
    names = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", text, re.MULTILINE)
    numbers = {name: int(number) for name, number in names}
    ours = {name: pair[COLUMN[machine]] for name, pair in ALL.items()}
    # a call that is younger than the headers is not in them
    told = {name: number for name, number in ours.items() if name in numbers}
    assert len(told) > 30
    assert told == {name: numbers[name] for name in told}
    assert seccomp.MACHINES[machine][1] == numbers["seccomp"]


def run(program: bytes, architecture: int, number: int, first: int = 7) -> int:
    """What the kernel would do: the four instructions that the filter consists of."""
    steps, at, value = list(struct.iter_unpack("=HBBI", program)), 0, 0
    while True:
        code, if_true, if_false, k = steps[at]
        at += 1
        if (
            code == 0x20
        ):  # load a word of the record: the number, the architecture, the first argument
            value = {0: number, 4: architecture, 16: first & 0xFFFFFFFF}[k]
        elif code == 0x15:
            at += if_true if value == k else if_false
        elif code == 0x35:
            at += if_true if value >= k else if_false
        else:
            assert code == 0x06
            return k


@pytest.fixture(scope="module")
def worker():
    """A worker with the filter, and a network that it would otherwise see."""
    with Worker(highest=Level.LANDLOCK, seconds=60) as worker:
        worker.load(CALL, "call")
        yield worker


@pytest.mark.parametrize("machine", list(seccomp.MACHINES))
def test_program_denies_what_is_listed_and_nothing_else(machine):
    program = seccomp.program(machine)
    architecture = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[machine]
    denied = {of_machine[COLUMN[machine]] for of_machine in ALL.values()}
    for number in range(600):
        expected = 0x00050000 | errno.EPERM if number in denied else 0x7FFF0000
        assert run(program, architecture, number) == expected


@pytest.mark.parametrize("machine", list(seccomp.MACHINES))
def test_program_lets_a_process_set_limits_of_its_own_and_of_nobody_else(machine):
    program, architecture = seccomp.program(machine), seccomp.MACHINES[machine][0]
    for of_machine in seccomp.DENIED_ON_OTHERS.values():
        number = of_machine[COLUMN[machine]]
        assert run(program, architecture, number, first=0) == 0x7FFF0000
        assert run(program, architecture, number, first=1) == 0x00050000 | errno.EPERM
    socket = seccomp.DENIED["socket"][COLUMN[machine]]
    assert run(program, architecture, socket, first=0) == 0x00050000 | errno.EPERM


def test_program_ends_a_process_that_calls_by_other_numbers():
    i386 = 0x40000003
    assert run(seccomp.program("x86_64"), i386, 102) == 0x80000000


def test_program_denies_the_second_interface_of_x86_64():
    assert run(seccomp.program("x86_64"), 0xC000003E, 0x40000000 | 41) & 0xFFFF0000 == 0x00050000


def test_unknown_machine_is_refused():
    with pytest.raises(seccomp.SeccompError, match="riscv64"):
        seccomp.program("riscv64")


@known
@pytest.mark.parametrize("name", [name for name in ALL if ALL[name][COLUMN.get(HERE, 0)]])
def test_worker_is_denied_the_call(worker, name):
    number = ALL[name][COLUMN[HERE]]
    assert worker.call("call", {"number": number})["value"] == "EPERM"


@known
@pytest.mark.parametrize("name", list(seccomp.DENIED_ON_OTHERS))
def test_worker_is_not_denied_the_call_on_itself(worker, name):
    number = seccomp.DENIED_ON_OTHERS[name][COLUMN[HERE]]
    assert worker.call("call", {"number": number, "first": 0})["value"] != "EPERM"


@known
def test_worker_may_get_and_lower_limits_of_its_own(worker):
    assert worker.call("lower_limit", {})["value"] == [60, 60]


@known
def test_this_process_may_open_a_socket():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(ctypes.c_long(seccomp.DENIED["socket"][COLUMN[HERE]]), ctypes.c_long(-1))
    assert ctypes.get_errno() != errno.EPERM


@known
def test_threads_are_under_the_filter_too(worker):
    number = seccomp.DENIED["socket"][COLUMN[HERE]]
    assert worker.call("call_from_a_thread", {"number": number})["value"] == "EPERM"


@known
def test_what_stays_within_the_process_is_allowed(worker):
    assert worker.call("pair", {})["value"] == 1
