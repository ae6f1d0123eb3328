"""Seccomp filters: a completion may make the calls of `system_calls` and no other. They cannot decide by
file.

A refused call fails with EPERM (ENOSYS where the C library then falls back to an older call), so honest
code sees an ordinary error. Filter format: linux/filter.h, linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby

from modelcore.sandbox.system_calls import ANYWHERE, IN_NAMESPACES, ZYGOTE, Numbers

__all__ = ["forbid_common", "forbid_rest"]

_MACHINE = os.uname().machine
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JUMP_EQUAL, _JUMP_GREATER, _JUMP_NOT_LESS, _JUMP_SET, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_AND = 0x54
_INSTRUCTION_BYTES = 8
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16
_X32_BIT = 0x40000000
_CLONE_THREAD = 0x00010000
_CLONE_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, …CGROUP, …UTS, …IPC, …USER, …PID, …NET
_PR_SET_PDEATHSIG = 1

_X86_64, _AARCH64 = 0, 1  # columns of the tables below
_ARCHITECTURES = {"x86_64": (_X86_64, 0xC000003E), "aarch64": (_AARCH64, 0xC00000B7)}

_libc = ctypes.CDLL(None, use_errno=True)

_CLONE, _KILL, _TGKILL, _PRLIMIT, _PRCTL = (56, 220), (62, 129), (234, 131), (302, 261), (157, 167)
_OPEN, _OPENAT, _FCNTL, _IOCTL = (2, None), (257, 56), (72, 25), (16, 29)
_SOCKETPAIR, _SENDTO = (53, 199), (44, 206)
_NEWER = 424  # calls from here on have the same number everywhere; a C library tries older ones after ENOSYS
_SOCK_STREAM, _SOCK_TYPE = 1, 0xF
# TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: of a descriptor, not of its file.
_IOCTLS = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# These choose the process that a descriptor signals when it is ready: any process of the same user.
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15


def forbid_common(*, same_user: bool) -> None:
    """Allow in the zygote what it and completions need, which inherit it; refuse every other call.

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
    new_namespace = [_instruction(_JUMP_SET, _CLONE_NEW_NAMESPACES, 0, 1), _refuse()]
    program += _when(_CLONE[column], 0, new_namespace)
    program += _when(_IOCTL[column], 1, _only(_IOCTLS, errno.ENOTTY))
    if same_user:
        program += _without_addresses(column)
    allowed = ANYWHERE if same_user else {**ANYWHERE, **IN_NAMESPACES, **ZYGOTE}
    return b"".join([*program, *_allowed(allowed, column)])


def _allowed(table: Numbers, column: int) -> list[bytes]:
    """Allow the calls of a table and refuse every other one, by ranges of consecutive numbers."""
    numbers = sorted(number for row in table.values() if (number := row[column]) is not None)
    program = []
    for first, last in _ranges(numbers):
        program += [
            _instruction(_JUMP_GREATER, last, 3, 0),
            _instruction(_JUMP_NOT_LESS, first, 1, 0),
            _refuse() if first < _NEWER else _refuse(errno.ENOSYS),
            _instruction(_RETURN, _ALLOW),
        ]
    return [*program, _refuse(errno.ENOSYS)]


def _ranges(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of consecutive numbers."""
    for _, run in groupby(enumerate(numbers), key=lambda item: item[1] - item[0]):
        members = [number for _, number in run]
        yield members[0], members[-1]


def _without_addresses(column: int) -> list[bytes]:
    """Refuse to send to a Unix socket by its path: pairs are streams, and what is sent has no address."""
    stream = [
        _instruction(_AND, _SOCK_TYPE),
        _instruction(_JUMP_EQUAL, _SOCK_STREAM, 1, 0),
        _refuse(),
    ]
    address = 4
    no_address = [
        _instruction(_JUMP_EQUAL, 0, 1, 0),
        _refuse(),
        _instruction(_LOAD, _ARGUMENTS_OFFSET + 8 * address + 4),
        _instruction(_JUMP_EQUAL, 0, 1, 0),
        _refuse(),
    ]
    return [*_when(_SOCKETPAIR[column], 1, stream), *_when(_SENDTO[column], address, no_address)]


def _only(values: Sequence[int], code: int) -> list[bytes]:
    """Refuse all other values with an error code."""
    count = len(values)
    jumps = [_instruction(_JUMP_EQUAL, value, count - i, 0) for i, value in enumerate(values)]
    return [*jumps, _refuse(code)]


def _refused(table: Numbers) -> list[bytes]:
    column, _ = _ARCHITECTURES[_MACHINE]
    numbers = [row[column] for row in table.values()]
    checks = [_instruction(_JUMP_EQUAL, number, 0, 1) for number in numbers if number is not None]
    return [part for check in checks for part in (check, _refuse())]


@cache
def _namespace_rules() -> bytes:
    """The rules of `forbid_rest` where completions have namespaces; cached in the zygote."""
    load = _instruction(_LOAD, _NUMBER_OFFSET)
    return b"".join([load, *_refused(ZYGOTE), _instruction(_RETURN, _ALLOW)])


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
    return b"".join([*rules, _instruction(_RETURN, _ALLOW)])


def _none_of(*values: int) -> list[bytes]:
    return [part for value in values for part in (_instruction(_JUMP_EQUAL, value, 0, 1), _refuse())]


def _when(number: int, argument: int, checks: list[bytes]) -> list[bytes]:
    """Apply `checks` to the low 32 bits of an argument of call `number`; other calls skip them."""
    load = _instruction(_LOAD, _ARGUMENTS_OFFSET + 8 * argument)
    body = [load, *checks, _instruction(_LOAD, _NUMBER_OFFSET)]
    return [_instruction(_JUMP_EQUAL, number, 0, len(body)), *body]
