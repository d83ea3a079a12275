"""A filter on system calls through ctypes: a process gives up, for good, calls it has no use for.

    program = [the architecture is this one?] + [deny the call if its number is n] for each n
    seccomp(program), for all threads

What Landlock does not cover: sockets of every kind (so UDP too), looking into other processes,
memory and queues that outlive their maker, and parts of the kernel that no exercise needs. A call
that is denied fails with EPERM. It needs no rights, only no_new_privs; it cannot be undone, and
children inherit it. The worker loads this module: standard library only.

Source: the kernel's own description, Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

#: machine → its name in the kernel's audit, and its number of the call `seccomp` itself
MACHINES = {"x86_64": (0xC000003E, 317), "aarch64": (0xC00000B7, 277)}
#: call → its number on x86_64 and on aarch64
DENIED = {
    # ways to a network
    "socket": (41, 198),
    "io_uring_setup": (425, 425),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    # what stays behind when its maker has gone
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # doors into the kernel
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}
#: on x86_64, calls of the x32 interface have numbers from here on
X32 = 0x40000000

LOAD, JUMP_IF_EQUAL, JUMP_IF_NOT_BELOW, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER_AT, ARCHITECTURE_AT = 0, 4  # where they stand in the record of a call
ALLOW, DENY, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
SET_FILTER, ALL_THREADS = 1, 1


class SeccompError(OSError):
    """The kernel has no filters, refuses this one, or runs on a machine we have no numbers for."""


def program(machine: str) -> bytes:
    """The filter for a machine, in the kernel's form: (code, if true, if false, number) each.

    Raises
    ------
    SeccompError
        for a machine whose numbers of calls are not in the table above.
    """
    if machine not in MACHINES or sys.maxsize < 2**32:
        raise SeccompError(errno.ENOSYS, f"no numbers of system calls for {machine}")
    column = list(MACHINES).index(machine)
    numbers = [of_machine[column] for of_machine in DENIED.values()]
    steps = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_IF_EQUAL, 1, 0, MACHINES[machine][0]),
        (RETURN, 0, 0, KILL),  # a call by another architecture's numbers
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_IF_NOT_BELOW, len(numbers) + 1, 0, X32),
        *((JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, DENY),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def restrict() -> None:
    """Put the filter into force for this process, all its threads and all that it starts."""
    machine = platform.machine()
    steps = program(machine)
    filter_ = _Program(len(steps) // 8, steps)
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_long(MACHINES[machine][1])
    result = libc.syscall(
        number, ctypes.c_uint(SET_FILTER), ctypes.c_uint(ALL_THREADS), ctypes.byref(filter_)
    )
    if result != 0:  # above 0: a thread that would not follow
        code = ctypes.get_errno() if result < 0 else errno.EBUSY
        raise SeccompError(code, os.strerror(code))
