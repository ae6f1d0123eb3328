"""Seccomp filters: the system calls that a completion may not make. They cannot decide by file.

A refused call fails with EPERM (ENOSYS where the C library then falls back to an older call), so honest
code sees an ordinary error. The tables list what no solution of a programming problem needs: the network,
other processes, kernel objects whose memory no limit counts, and parts of the kernel that are rarely used
and often attacked. Numbers: Linux's asm/unistd.h; filter format: linux/filter.h, linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from functools import cache

__all__ = ["forbid_common", "forbid_rest"]

_MACHINE = os.uname().machine
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JUMP_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_INSTRUCTION_BYTES = 8
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16
_X32_BIT = 0x40000000
_CLONE_THREAD = 0x00010000
_CLONE_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, …CGROUP, …UTS, …IPC, …USER, …PID, …NET
_PR_SET_PDEATHSIG = 1

_X86_64, _AARCH64 = 0, 1  # columns of the tables below
_ARCHITECTURES = {"x86_64": (_X86_64, 0xC000003E), "aarch64": (_AARCH64, 0xC00000B7)}

_libc = ctypes.CDLL(None, use_errno=True)

# name: (x86_64, aarch64); None where an architecture has no such call.
_ALWAYS: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semctl": (66, 191),
    "semop": (65, 193),
    "msgget": (68, 186),
    "msgctl": (71, 187),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "personality": (135, 92),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "modify_ldt": (154, None),
}
# Refused to completions only: the zygote, which they are forked from, needs these itself.
_NAMESPACES: dict[str, tuple[int | None, int | None]] = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
}
# Refused too where no namespace hides the caller's other processes and files.
_SAME_USER: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "tkill": (200, 130),
    "truncate": (76, 45),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "inotify_add_watch": (254, 27),
}
_CLONE, _KILL, _TGKILL, _PRLIMIT, _PRCTL = (56, 220), (62, 129), (234, 131), (302, 261), (157, 167)
_CLONE3, _OPENAT2 = 435, 437
_OPEN, _OPENAT, _FCNTL, _IOCTL = (2, None), (257, 56), (72, 25), (16, 29)
# These choose the process that a descriptor signals when it is ready: any process of the same user.
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _FIOSETOWN, _SIOCSPGRP = 8, 10, 15, 0x8901, 0x8902


def forbid_common(*, same_user: bool) -> None:
    """Refuse in the zygote what it does not need either; completions inherit it.

    The kernel takes long to install a filter of this length; this way it does so once. `forbid_rest` follows
    in every completion. `no_new_privileges` must have been called.

    Args:
        same_user: completions run as the caller's user, without namespaces.

    Raises:
        OSError: the kernel has no seccomp filters or the machine is neither x86_64 nor aarch64.
    """
    if _MACHINE not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no system call numbers for {_MACHINE}")
    _install(_common_rules(same_user))
    if not same_user:
        _namespace_rules()


def forbid_rest(*, same_user: bool) -> None:
    """Refuse the rest in a completion and its descendants: mounting and entering namespaces.

    Args:
        same_user: also refuse child processes (not threads) and signals to other processes.

    Raises:
        OSError: the kernel refuses.
    """
    _install(_own_process_rules() if same_user else _namespace_rules())


def _install(code: bytes) -> None:
    address = ctypes.cast(ctypes.c_char_p(code), ctypes.c_void_p).value
    header = ctypes.c_char_p(struct.pack("@HP", len(code) // _INSTRUCTION_BYTES, address))
    zero = ctypes.c_ulong(0)
    if _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), header, zero, zero) < 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _refuse(code: int = errno.EPERM) -> bytes:
    return _instruction(_RETURN, _ERRNO | code)


def _common_rules(same_user: bool) -> bytes:
    column, audit_architecture = _ARCHITECTURES[_MACHINE]
    program = [
        _instruction(_LOAD, _ARCHITECTURE_OFFSET),
        _instruction(_JUMP_EQUAL, audit_architecture, 1, 0),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD, _NUMBER_OFFSET),
    ]
    if column == _X86_64:
        program += [_instruction(_JUMP_SET, _X32_BIT, 0, 1), _refuse()]
    program += _refused(_ALWAYS)
    if same_user:
        program += [*_refused(_NAMESPACES), *_refused(_SAME_USER)]
        program += [_instruction(_JUMP_EQUAL, _OPENAT2, 0, 1), _refuse(errno.ENOSYS)]
    new_namespace = [_instruction(_JUMP_SET, _CLONE_NEW_NAMESPACES, 0, 1), _refuse()]
    program += _when(_CLONE[column], 0, new_namespace)
    program += [_instruction(_JUMP_EQUAL, _CLONE3, 0, 1), _refuse(errno.ENOSYS)]
    return b"".join([*program, _instruction(_RETURN, _ALLOW)])


def _refused(table: dict[str, tuple[int | None, int | None]]) -> list[bytes]:
    column, _ = _ARCHITECTURES[_MACHINE]
    numbers = [row[column] for row in table.values()]
    checks = [_instruction(_JUMP_EQUAL, number, 0, 1) for number in numbers if number is not None]
    return [part for check in checks for part in (check, _refuse())]


@cache
def _namespace_rules() -> bytes:
    """The rules of `forbid_rest` where completions have namespaces; cached in the zygote."""
    load = _instruction(_LOAD, _NUMBER_OFFSET)
    return b"".join([load, *_refused(_NAMESPACES), _instruction(_RETURN, _ALLOW)])


def _own_process_rules() -> bytes:
    """The rules of `forbid_rest` without namespaces: on arguments that affect other processes or files."""
    column, _ = _ARCHITECTURES[_MACHINE]
    own = os.getpid()
    rules = [_instruction(_LOAD, _NUMBER_OFFSET)]
    rules += _when(_CLONE[column], 0, [_instruction(_JUMP_SET, _CLONE_THREAD, 1, 0), _refuse()])
    rules += _when(_KILL[column], 0, [_instruction(_JUMP_EQUAL, own, 1, 0), _refuse()])
    rules += _when(_TGKILL[column], 0, [_instruction(_JUMP_EQUAL, own, 1, 0), _refuse()])
    rules += _when(_PRLIMIT[column], 0, [_instruction(_JUMP_EQUAL, 0, 1, 0), _refuse()])
    rules += _when(_PRCTL[column], 0, [_instruction(_JUMP_EQUAL, _PR_SET_PDEATHSIG, 0, 1), _refuse()])
    truncate_unwritable = [
        _instruction(_JUMP_SET, os.O_TRUNC, 0, 2),
        _instruction(_JUMP_SET, os.O_WRONLY | os.O_RDWR, 1, 0),
        _refuse(),
    ]
    for number, argument in ((_OPEN[column], 1), (_OPENAT[column], 2)):
        if number is not None:
            rules += _when(number, argument, truncate_unwritable)
    rules += _when(_FCNTL[column], 1, _none_of(_F_SETOWN, _F_SETSIG, _F_SETOWN_EX))
    rules += _when(_IOCTL[column], 1, _none_of(_FIOSETOWN, _SIOCSPGRP))
    return b"".join([*rules, _instruction(_RETURN, _ALLOW)])


def _none_of(*values: int) -> list[bytes]:
    return [part for value in values for part in (_instruction(_JUMP_EQUAL, value, 0, 1), _refuse())]


def _when(number: int, argument: int, checks: list[bytes]) -> list[bytes]:
    """Apply `checks` to the low 32 bits of an argument of call `number`; other calls skip them."""
    load = _instruction(_LOAD, _ARGUMENTS_OFFSET + 8 * argument)
    body = [load, *checks, _instruction(_LOAD, _NUMBER_OFFSET)]
    return [_instruction(_JUMP_EQUAL, number, 0, len(body)), *body]
