"""A filter on system calls through ctypes: a process gives up, for good, calls it has no use for.

    program = [the architecture is this one?] + [deny the call if its number is n] for each n
              + [deny the call if its number is n and its first argument is not 0] for other n
    seccomp(program), for all threads

What Landlock does not cover: sockets of every kind (so UDP too), looking into other processes and
setting their limits, the modes, times and attributes of files of the same user's, memory and queues
that outlive their maker, and parts of the kernel that no exercise needs. A call
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
#: call → its number on x86_64 and on aarch64, None where a machine does without
DENIED: dict[str, tuple[int | None, int | None]] = {
    # ways to a network
    "socket": (41, 198),
    "io_uring_setup": (425, 425),
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    # what is written of a file beside its contents: it is its owner's to change, locked away or not
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
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
#: calls on a process, which is their first argument; they are left for 0, the process itself
DENIED_ON_OTHERS: dict[str, tuple[int, int]] = {
    "prlimit64": (302, 261),  # by which the C library gets and sets the process's own limits
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
}
#: on x86_64, calls of the x32 interface have numbers from here on
X32 = 0x40000000

LOAD, JUMP_IF_EQUAL, JUMP_IF_NOT_BELOW, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER_AT, ARCHITECTURE_AT = 0, 4  # where they stand in the record of a call
FIRST_ARGUMENT_AT = 16  # its lower half, which is all of a process's number
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
    denied, on_others = (
        [numbers[column] for numbers in table.values() if numbers[column] is not None]
        for table in (DENIED, DENIED_ON_OTHERS)
    )
    last = len(denied) + len(on_others)  # from the first comparison to where the call is allowed
    steps = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_IF_EQUAL, 1, 0, MACHINES[machine][0]),
        (RETURN, 0, 0, KILL),  # a call by another architecture's numbers
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_IF_NOT_BELOW, last + 3, 0, X32),
        *((JUMP_IF_EQUAL, last + 2 - n, 0, number) for n, number in enumerate(denied)),
        *((JUMP_IF_EQUAL, len(on_others) - n, 0, number) for n, number in enumerate(on_others)),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
        (JUMP_IF_EQUAL, 1, 0, 0),
        (RETURN, 0, 0, DENY),
        (RETURN, 0, 0, ALLOW),
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
