"""Linux calls that Python does not offer, through the C library. Each raises OSError like Python's own.

Numbers are from Linux's uapi headers (asm/unistd.h, sched.h, mount.h, prctl.h, capability.h).
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct

__all__ = [
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "MNT_DETACH",
    "MS_BIND",
    "MS_NODEV",
    "MS_NOEXEC",
    "MS_NOSUID",
    "MS_PRIVATE",
    "MS_RDONLY",
    "MS_REC",
    "MS_REMOUNT",
    "call",
    "die_with_parent",
    "drop_capabilities",
    "forget_variable",
    "hide_memory",
    "mount",
    "name_process",
    "no_new_privileges",
    "pivot_root",
    "prctl",
    "processor",
    "setns",
    "unmount",
    "unshare",
]

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_NO_NEW_PRIVS = 1, 4, 15, 38
_CAPABILITY_VERSION_3 = 0x20080522
_NUMBERS = {  # system call: (x86_64, aarch64)
    "pivot_root": (155, 41),
    "capset": (126, 91),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(os.uname().machine, 0)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.getenv.restype = ctypes.c_void_p


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def call(name: str, *args: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make the system call `name` (a key of `_NUMBERS`); integers are passed as 64-bit words."""
    words = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return _checked(_libc.syscall(ctypes.c_long(_NUMBERS[name][_COLUMN]), *words), name)


def unshare(flags: int) -> None:
    """Move this process (its children, for process ids) into new namespaces."""
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace open as `descriptor`; a pid namespace applies to future children only."""
    _checked(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """mount(2)."""
    arguments = (source.encode(), target.encode(), kind.encode() if kind else None)
    _checked(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def unmount(target: str, flags: int) -> None:
    """umount2(2)."""
    _checked(_libc.umount2(target.encode(), flags), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2)."""
    call("pivot_root", new.encode(), old.encode())


def forget_variable(name: str) -> None:
    """Remove a variable from the environment and from the memory in which this process got it."""
    address = _libc.getenv(name.encode())
    if address:
        ctypes.memset(address, 0, len(ctypes.string_at(address)))
    os.environ.pop(name, None)


def processor() -> int:
    """Return the number of the processor that this process runs on at the moment."""
    return _checked(_libc.sched_getcpu(), "sched_getcpu")


def prctl(option: int, value: int | bytes) -> None:
    """prctl(2) with one argument, a number or the bytes it points to; the others are 0."""
    zero = ctypes.c_ulong(0)
    argument = ctypes.c_ulong(value) if isinstance(value, int) else ctypes.c_char_p(value)
    _checked(_libc.prctl(option, argument, zero, zero, zero), "prctl")


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies.

    Args:
        parent: the expected `os.getppid()`; if it differs, the parent has died already: exit now.
    """
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def hide_memory() -> None:
    """Prevent other processes of the same user from tracing this one or reading its memory; no core files."""
    prctl(_PR_SET_DUMPABLE, 0)


def name_process(name: str) -> None:
    """Set the name that `ps` shows, up to 15 characters."""
    prctl(_PR_SET_NAME, name.encode())


def no_new_privileges() -> None:
    """Make it impossible, also for descendants, to gain privileges by executing a program."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Empty this process' effective, permitted and inheritable capability sets."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    call("capset", header, struct.pack("=6I", 0, 0, 0, 0, 0, 0))
