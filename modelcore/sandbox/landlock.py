"""Landlock rules: which files a process may read and write, where mount namespaces are unavailable.

Does not hide that a file exists: names, sizes and times stay visible. Landlock does not cover changes of
attributes either; `seccomp` refuses those. Format: linux/landlock.h.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from modelcore.sandbox.kernel import call

__all__ = ["abi_version", "open_ruleset", "restrict"]

_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE = 1 << 14
_RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}  # version: number of file system rights; 16 from 5 on
_SCOPES_SINCE = 6
_SCOPE_ABSTRACT_SOCKET_AND_SIGNAL = 3


def abi_version() -> int:
    """Return the kernel's version of Landlock.

    Raises:
        OSError: it has none.
    """
    return call("landlock_create_ruleset", None, 0, _CREATE_RULESET_VERSION)


def open_ruleset(*, read: Iterable[str], listed: Iterable[str], write: Iterable[str]) -> int:
    """Return the descriptor of a rule set that allows the following and nothing else.

    Args:
        read: files, and directories whose whole content may be read.
        listed: directories whose entries may be listed.
        write: device files, and directories in which everything but creating devices is allowed.
    """
    version = abi_version()
    handled = (1 << _RIGHTS_OF_VERSION.get(version, 16)) - 1
    scopes = _SCOPE_ABSTRACT_SOCKET_AND_SIGNAL if version >= _SCOPES_SINCE else 0
    attributes = struct.pack("=QQQ", handled, 0, scopes)[: 24 if version >= _SCOPES_SINCE else 8]
    ruleset = call("landlock_create_ruleset", attributes, len(attributes), 0)
    for path in read:
        _allow(ruleset, path, _READ_FILE | _READ_DIR)
    for path in listed:
        _allow(ruleset, path, _READ_DIR)
    for path in write:
        _allow(ruleset, path, handled & ~(_MAKE_CHAR | _MAKE_BLOCK))
    return ruleset


def restrict(ruleset: int) -> None:
    """Apply the rules to this process and its descendants; `no_new_privileges` must have been called."""
    call("landlock_restrict_self", ruleset, 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - the worker does not load pathlib
            rights &= _READ_FILE | _WRITE_FILE | (_TRUNCATE if abi_version() > 2 else 0)
        call("landlock_add_rule", ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)
