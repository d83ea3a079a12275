"""How far a process can be confined on this machine, without root and without containers.

=====  ============  ==========================================================================
level  name          what the worker cannot do
=====  ============  ==========================================================================
0      process       touch the grader's memory, or outlast its clock
1      limits        use more memory, time, files, processes than allowed; write any file.
                     Started as root, it has become a user that owns nothing
2      no-privilege  gain rights by running another program, or outlive the grader
3      landlock      read any file but the standard library and NumPy; open a socket; send signals;
                     change modes, times or attributes of files, or what others may use
4      namespaces    see a network or any other process
=====  ============  ==========================================================================

A level is reached when it and all below it are. macOS and Windows offer level 0. Landlock knows
nothing of UDP: sockets are refused by a filter on system calls, and where a machine has no filter
that we know of, by the last level only, which then counts for both.

The worker loads this module: standard library only, and no others but `landlock` and `seccomp`.
"""

from __future__ import annotations

import ctypes
import enum
import os
import sys
from dataclasses import dataclass, field

from . import landlock, seccomp  # relative: the worker loads this package under another name

try:
    import resource
except ImportError:  # Windows
    resource = None

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 1 << 27, 1 << 28, 1 << 29, 1 << 30
SIGKILL = 9

#: a worker of root becomes one of these users: nobody's, but for a moment a system service's
FIRST_USER, N_USERS = 61184, 4336
#: folders of the standard library that may hold more than the standard library
NOT_STANDARD = ("site-packages", "dist-packages", "test", "idlelib", "ensurepip")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


class Level(enum.IntEnum):
    """What was reached; the table above says what each means."""

    PROCESS = 0
    LIMITS = 1
    NO_PRIVILEGE = 2
    LANDLOCK = 3
    NAMESPACES = 4

    @property
    def label(self) -> str:
        """The name as written in reports and options."""
        return self.name.lower().replace("_", "-")


LEVELS = {level.label: level for level in Level}


@dataclass(frozen=True)
class Limits:
    """What one worker may use."""

    memory: int = 2**30
    cpu_seconds: int = 30
    processes: int = 8
    files: int = 64


@dataclass
class Confinement:
    """What was done, and what was refused (`notes`), one line each.

    `apart` says that processes are counted from zero, as in a namespace of users of their own.
    """

    limits: bool = False
    no_privilege: bool = False
    landlock: bool = False
    filtered: bool = False
    namespaces: bool = False
    apart: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def level(self) -> Level:
        """The highest level that is reached with all below it."""
        level = Level.PROCESS
        enclosed = self.landlock and (self.filtered or self.namespaces)
        for step in (self.limits, self.no_privilege, enclosed, self.namespaces):
            if not step:
                break
            level = Level(level + 1)
        return level


def prctl(option: int, value: int) -> None:
    """One call of prctl; OSError where it fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def hide_memory() -> None:
    """No other process of the same user may look into this one, where the system knows how."""
    if sys.platform == "linux":
        prctl(PR_SET_DUMPABLE, 0)


def enter_namespaces(done: Confinement) -> None:
    """No network, and no process but those that are started from now on.

    Root may do it as it is; others through a namespace of users, where that is allowed.
    """
    flags = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWPID
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags if user == 0 else flags | CLONE_NEWUSER) != 0:
        done.notes.append(f"namespaces: {os.strerror(ctypes.get_errno())}")
        return
    if user != 0:
        done.apart = True
        try:
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
        except OSError as error:
            done.notes.append(f"namespace of users: {error.strerror}")
            return
    done.namespaces = True


def confine(
    limits: Limits, readable: list[str], number: int, done: Confinement, highest: Level
) -> None:
    """Take from this process, in which NumPy is loaded, all that a student's module needs not.

    Parameters
    ----------
    limits : what it may use from now on
    readable : folders that it may go on importing from
    number : any number that no other worker has now; root's workers get a user each by it
    done : the record, which is filled in
    highest : go no further than this level
    """
    if sys.platform != "linux" or highest < Level.LIMITS:
        return
    ruleset = None
    if highest >= Level.LANDLOCK:
        try:
            ruleset = landlock.make_ruleset(allowed_paths(readable))
        except OSError as error:
            done.notes.append(f"Landlock: {error.strerror}")
    handles = {path: os.open(path, os.O_RDONLY) for path in readable}
    alone = os.geteuid() == 0 or done.apart
    set_limits(limits, 0 if alone else tasks_of(os.geteuid()))
    if os.geteuid() == 0:
        become_nobody(number)
    done.limits = os.geteuid() != 0  # root is above some of them
    for path, handle in handles.items():
        if os.access(path, os.R_OK | os.X_OK):
            os.close(handle)
        else:
            import_through(path, handle)
    if highest < Level.NO_PRIVILEGE:
        return
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    done.no_privilege = True
    if ruleset is not None:
        try:
            landlock.restrict(ruleset)
            done.landlock = True
        except OSError as error:
            done.notes.append(f"Landlock: {error.strerror}")
    if highest >= Level.LANDLOCK:
        try:
            seccomp.restrict()
            done.filtered = True
        except OSError as error:
            done.notes.append(f"filter of system calls: {error.strerror}")


def set_limits(limits: Limits, others: int) -> None:
    """The limits as the kernel knows them. What goes into pipes is limited by who reads it.

    others : processes that the user has already, as they count too
    """
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": limits.files,
        "RLIMIT_NPROC": limits.processes + others,
        "RLIMIT_AS": limits.memory,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_MEMLOCK": 0,
    }
    for name, most in wanted.items():
        number = getattr(resource, name, None)
        if number is None:
            continue
        hard = resource.getrlimit(number)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(number, (most, most))
    seconds = limits.cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def tasks_of(user: int) -> int:
    """How many threads a user has already: they count against the limit on processes too."""
    n = 0
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:
                n += len(os.listdir(f"/proc/{name}/task"))
        except OSError:  # it has just ended
            continue
    return n


def become_nobody(number: int) -> None:
    """From root to a user that owns no file and, most likely, no other process."""
    os.setgroups([])
    for user in (FIRST_USER + number % N_USERS, 65534):
        try:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            return
        except OSError:  # a container that knows fewer users
            continue


def allowed_paths(readable: list[str]) -> list[tuple[str, int]]:
    """What Landlock leaves: each entry of the folders but those that hold other packages."""
    paths = [(device, landlock.READ_AND_WRITE) for device in DEVICES]
    for folder in readable:
        paths.append((folder, landlock.READ_DIR))  # to list it, not to read what it holds
        paths += [
            (os.path.join(folder, name), landlock.READ)
            for name in os.listdir(folder)
            if name not in NOT_STANDARD
        ]
    return paths


def import_through(path: str, handle: int) -> None:
    """Let imports find a folder through an open handle, where its path is closed to the user.

    So it is when root's Python lies in a folder of root's own.
    """
    door = f"/proc/self/fd/{handle}"

    def moved(entry: str) -> str:
        return door + entry[len(path) :] if entry == path or entry.startswith(path + "/") else entry

    sys.path[:] = [moved(entry) for entry in sys.path]
    for module in list(sys.modules.values()):
        places = getattr(module, "__path__", None)
        if isinstance(places, list):
            places[:] = [moved(entry) for entry in places]
    sys.path_importer_cache.clear()
