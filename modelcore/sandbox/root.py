"""A completion's root directory: the standard library, system libraries, four devices, a scratch directory.

Built on a tmpfs in a separate mount namespace, every mount read-only except the scratch directory. Home
directories, configuration, /proc, /sys, other packages and the caller's files are not in it.
"""

# The worker does not load pathlib, which would take longer than building the root.
# ruff: noqa: PTH103, PTH112, PTH115, PTH120, PTH123, PTH211

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from modelcore.sandbox import kernel

__all__ = ["change_root", "mount_scratch"]

_SCRATCH_DIRECTORIES = ("/tmp", "/var/tmp")  # the first that hides nothing a completion must read
_SCRATCH_LINK = "/dev/shm"  # points to the chosen one
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_MOUNT_POINTS = ("/mnt", "/media", "/srv", "/opt", "/run", "/tmp", "/home", "/var")
_SEALED = kernel.MS_NOSUID | kernel.MS_NODEV
_STATVFS_TO_MOUNT = {1: 1, 2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}  # ST_… to MS_…


def change_root(read: Sequence[str], masked: Sequence[str], packages: Sequence[str]) -> int:
    """Build the new root, move this process into it, and return a descriptor of /proc, which is not in it.

    Args:
        read: directories and files that keep their paths.
        masked: directories inside those that appear empty.
        packages: directories and files that are visible inside the masked ones.

    Raises:
        OSError: the kernel refuses one of the steps.
    """
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    visible = [*read, *packages]
    root = _unused(visible, [point for point in _MOUNT_POINTS if os.path.isdir(point)])
    old_mounts = _mounts("/proc").keys()
    kernel.mount("root", root, "tmpfs", _SEALED, "size=4m,mode=755")
    for path in (*read, *_DEVICES):
        _bind(path, root + path)
    for path in masked:
        kernel.mount("mask", root + path, "tmpfs", _SEALED, "size=1m,mode=755")
    for path in packages:
        _bind(path, root + path)
    scratch = _unused(visible, _SCRATCH_DIRECTORIES)
    for directory in ("/proc", scratch):
        os.makedirs(root + directory, exist_ok=True)
    os.symlink(scratch, root + _SCRATCH_LINK)
    return _enter(root, old_mounts)


def mount_scratch(size: int) -> None:
    """Mount an empty, writable scratch directory of `size` bytes and make it the working directory."""
    options = f"size={size},nr_inodes=16384,mode=1777"
    scratch = os.readlink(_SCRATCH_LINK)
    kernel.mount("scratch", scratch, "tmpfs", _SEALED | kernel.MS_NOEXEC, options)
    os.chdir(scratch)


def _enter(root: str, old_mounts: Collection[str]) -> int:
    kernel.mount("proc", root + "/proc", "proc", _SEALED | kernel.MS_NOEXEC)
    processes = os.open(root + "/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for number, point in _mounts(root + "/proc").items():
        if number not in old_mounts and point != root + "/proc":
            _make_read_only(point)
    kernel.unmount(root + "/proc", kernel.MNT_DETACH)
    os.chdir(root)
    kernel.pivot_root(".", ".")
    kernel.unmount(".", kernel.MNT_DETACH)
    os.chdir("/")
    return processes


def _mounts(proc: str) -> dict[str, str]:
    """Return the mount point of each mount id (proc_pid_mountinfo(5); spaces are escaped in octal)."""
    with open(proc + "/self/mountinfo") as table:
        rows = [line.split() for line in table]
    return {row[0]: row[4].encode().decode("unicode_escape") for row in rows}


def _unused(paths: Sequence[str], directories: Sequence[str]) -> str:
    """Return the first of `directories` that contains none of `paths`."""
    for directory in directories:
        if not any(path.startswith(directory + "/") for path in paths):
            return directory
    raise OSError(
        f"python and its packages are in {', '.join(directories)}: none of them is free to mount on"
    )


def _bind(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.mount(source, target, None, kernel.MS_BIND | kernel.MS_REC)


def _make_read_only(point: str) -> None:
    """Remount read-only, with the flags that an unprivileged user namespace may not clear."""
    present = os.statvfs(point).f_flag
    kept = sum(flag for bit, flag in _STATVFS_TO_MOUNT.items() if present & bit)
    device = kernel.MS_NODEV if not point.rpartition("/dev/")[1] else 0
    flags = kept | device | kernel.MS_NOSUID | kernel.MS_RDONLY
    kernel.mount("none", point, None, flags | kernel.MS_REMOUNT | kernel.MS_BIND)
