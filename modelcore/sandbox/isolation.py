"""The levels of isolation and how a process is confined at each. Does not choose one; `pool` does.

    namespaces         root only: own pid, mount, network, IPC and host name namespaces, an unused user id
    user_namespaces    others only: the same inside a user namespace
    landlock           where neither is allowed: Landlock for files, and a stricter seccomp filter:
                       no child processes, signals to itself only

All have seccomp, resource limits, no capabilities, no way to gain any, and no environment but constants.
"""

# The worker does not load pathlib.
# ruff: noqa: PTH123

from __future__ import annotations

import contextlib
import math
import os
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from modelcore.sandbox import kernel, landlock, root, seccomp
from modelcore.sandbox.limits import MIB, Limits

__all__ = [
    "LEVELS",
    "NOT_HIDDEN",
    "VisibleFiles",
    "confine_completion",
    "confine_harness",
    "confine_worker",
    "confine_zygote",
    "discard",
    "enter_namespaces",
    "in_namespaces",
    "split_around",
    "unused_user",
]

LEVELS = ("landlock", "user_namespaces", "namespaces")
"""Weakest first."""

_MACHINE = "the machine's processors, kernel version, uptime, load and free memory, and where Python is"
NOT_HIDDEN: Mapping[str, tuple[str, ...]] = {
    "namespaces": (_MACHINE,),
    "user_namespaces": (_MACHINE,),
    "landlock": (
        _MACHINE,
        "which paths exist, with sizes, times and owners, though not their contents",
        "the names and values of extended attributes of files that it may not read",
        "which process ids are in use, and the caller's user and group ids",
    ),
}
"""What a completion can find out at each level, for score.json; it can change none of it."""

_WORKER_NAMESPACES = (
    kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
)
_USER_INSIDE = 1000
_LIBRARY_ADDRESS_SPACE = 3072 * MIB
_HARNESS_MEMORY = 2048 * MIB


@dataclass(frozen=True)
class VisibleFiles:
    """The part of the file system that a completion may read.

    Args:
        read: visible directories and files.
        masked: directories inside those that are hidden.
        packages: visible directories and files inside the masked ones or elsewhere.
        search: entries of the completion's `sys.path` for those packages.
    """

    read: tuple[str, ...]
    masked: tuple[str, ...]
    packages: tuple[str, ...]
    search: tuple[str, ...]


def in_namespaces(level: str) -> bool:
    """Whether each sample gets its own namespaces at this level."""
    return level != "landlock"


def enter_namespaces(level: str) -> None:
    """Move this process into new namespaces; its next child is the first process of the new pid namespace.

    Raises:
        OSError: the kernel, or the container that this runs in, does not allow it.
    """
    if level == "user_namespaces":
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER | _WORKER_NAMESPACES)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{_USER_INSIDE} {user} 1")
        _write("/proc/self/gid_map", f"{_USER_INSIDE} {group} 1")
    else:
        kernel.unshare(_WORKER_NAMESPACES)


def unused_user(number: int) -> int:
    """Return a user id that no account uses, near the highest one; a different one for each `number`."""
    with open("/proc/self/uid_map") as table:
        first, _, count = max((tuple(map(int, line.split())) for line in table), key=lambda row: row[2])
    last = min(first + count, 1 << 31) - 3
    return last - number % max(1, min(count // 2, 1 << 30))


def confine_worker(level: str, user: int) -> None:
    """Drop the privileges that neither the worker nor its harnesses need; they inherit what it has left.

    Args:
        level: one of `LEVELS`.
        user: the user and group id to run as, at the level `namespaces`.
    """
    _limit(resource.RLIMIT_CORE, 0)
    if level == "namespaces":
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    kernel.drop_capabilities()
    kernel.no_new_privileges()
    kernel.hide_memory()


def confine_harness() -> None:
    """Limit the memory and files of the process that runs the tests, whatever an answer makes it do."""
    _limit(resource.RLIMIT_DATA, _HARNESS_MEMORY)
    _limit(resource.RLIMIT_FSIZE, 0)


def confine_zygote(level: str, limits: Limits, user: int) -> None:
    """Confine the process that completions are forked from as far as its own work allows; they inherit it.

    Args:
        level: one of `LEVELS`.
        limits: of a sample.
        user: the group id to run as, at the level `namespaces`.
    """
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_DATA, limits.memory)
    _limit(resource.RLIMIT_AS, limits.memory + _LIBRARY_ADDRESS_SPACE)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_MEMLOCK, 0)
    if level == "namespaces":
        os.setgroups([])
        os.setresgid(user, user, user)
    kernel.no_new_privileges()
    seccomp.forbid_common(same_user=not in_namespaces(level))
    _process_limit_is_own(level)


def confine_completion(level: str, limits: Limits, user: int, ruleset: int) -> None:
    """Complete the confinement of a completion's process, which has run nothing yet, and its descendants.

    Args:
        level: one of `LEVELS`; `confine_zygote` has been called in the parent.
        limits: of the sample.
        user: the user id to run as, at the level `namespaces`.
        ruleset: descriptor of the Landlock rule set, at the level `landlock`.
    """
    _limit(resource.RLIMIT_CPU, math.ceil(limits.seconds) + 2)
    if _process_limit_is_own(level):
        _limit(resource.RLIMIT_NPROC, limits.processes + 1)  # the next sample's process waits beside it
    if in_namespaces(level):
        root.mount_scratch(limits.disk)
    if level == "namespaces":
        os.setresuid(user, user, user)
    kernel.drop_capabilities()
    if not in_namespaces(level):
        landlock.restrict(ruleset)
        os.close(ruleset)
    seccomp.forbid_rest(same_user=not in_namespaces(level))


@cache
def _process_limit_is_own(level: str) -> bool:
    """Whether the kernel's process limit counts the completion's processes only, not others of its user.

    In a user namespace it does since Linux 5.14. Where it does not, the caller's own processes would use up
    the limit; then the worker counts instead (`Limits.processes`), and at the level `landlock` there are only
    threads, which the memory limit bounds through their stacks.
    """
    if level == "user_namespaces":
        major, minor = os.uname().release.split(".")[:2]
        return (int(major), int("".join(filter(str.isdigit, minor)))) >= (5, 14)
    return level == "namespaces"


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (ceiling, ceiling))


def discard(*descriptors: int) -> None:
    """Redirect descriptors to /dev/null."""
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def split_around(paths: Sequence[str], masked: Sequence[str]) -> list[str]:
    """Return paths that cover `paths` but none of `masked`, because Landlock has no rule that excludes.

    Directories that contain a masked one are replaced by their other entries; links are followed first, and
    left out below.
    """
    covering: list[str] = []
    hidden = {os.path.realpath(path) for path in masked}
    pending = [os.path.realpath(path) for path in paths]
    while pending:
        path = pending.pop()
        if path in hidden:
            continue
        if any(inner.startswith(path + "/") for inner in hidden):
            with contextlib.suppress(PermissionError), os.scandir(path) as entries:
                pending += [entry.path for entry in entries if not entry.is_symlink()]
        else:
            covering.append(path)
    return covering
