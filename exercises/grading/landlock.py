"""Landlock through ctypes: a process gives up, for good, all files but those it names first.

    ruleset = all rights that this kernel can withhold
    ruleset += (path, rights) for each path that stays allowed
    restrict_self(ruleset)

Besides files it withholds, where the kernel knows how, TCP (since version 4 of its interface),
signals to processes outside, and abstract sockets (since 6). It needs no rights; it cannot be
undone, and children inherit it. The worker loads this module: standard library only.

Source: the kernel's own description, Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every machine
RULE_PATH_BENEATH = 1
ASK_VERSION = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
#: how many rights on files each version knows, and which of them can be given on a file
N_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
ALL_TCP, ALL_SCOPES = 0b11, 0b11

READ = READ_FILE | READ_DIR
READ_AND_WRITE = READ_FILE | WRITE_FILE


class LandlockError(OSError):
    """The kernel has no Landlock, or refuses it."""


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise LandlockError(code, os.strerror(code))
    return result


def version() -> int:
    """The version of the interface that this kernel offers; LandlockError if none."""
    return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))


def make_ruleset(allowed: Iterable[tuple[str, int]]) -> int:
    """A descriptor of the rules: everything withheld but the (path, rights) that are allowed.

    A path that is not there, or cannot be opened, is passed over: it stays withheld.
    """
    known = version()
    rights = (1 << N_RIGHTS[min(known, max(N_RIGHTS))]) - 1
    fields = [rights]
    if known >= 4:
        fields.append(ALL_TCP)
    if known >= 6:
        fields.append(ALL_SCOPES)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _call(
        CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)
    )
    for path, wanted in allowed:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
            given = wanted & rights & (-1 if is_folder else ON_FILES)
            rule = struct.pack("=Qi", given, descriptor)
            _call(
                ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(RULE_PATH_BENEATH), rule,
                ctypes.c_uint32(0),
            )  # fmt: skip
        finally:
            os.close(descriptor)
    return ruleset


def restrict(ruleset: int) -> None:
    """Put the rules into force for this thread and all that it starts; needs no_new_privs."""
    _call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)
