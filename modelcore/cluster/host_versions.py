"""Which versions a host has of what must be equal on all hosts of a job."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["differing", "host_versions"]

_NONE = "none"
_PACKAGES = ("mindrail", "mindspore", "ray")
_CANN = Path("/usr/local/Ascend/ascend-toolkit/latest/version.cfg")


def host_versions() -> dict[str, str]:
    """Return the versions of Python and the packages, and what CANN's version file says if there is one."""
    found = {"Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = _NONE
    if _CANN.is_file():
        found["CANN"] = " ".join(_CANN.read_text(errors="replace").split())
    return found


def differing(versions: Mapping[str, str], others: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the name and both versions of what differs between two hosts."""
    for name in sorted({*versions, *others}):
        mine, other = versions.get(name, _NONE), others.get(name, _NONE)
        if mine != other:
            yield name, mine, other
