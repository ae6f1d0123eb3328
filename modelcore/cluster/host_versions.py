"""Which versions a host has of what must be equal on all hosts of a job, mindrail's own files included."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

__all__ = ["differing", "host_versions"]

_NONE = "none"
_PACKAGES = ("mindrail", "mindspore", "ray")
_FILES = {"mindrail's code": ("modelcore", "*.py"), "mindrail's YAMLs": ("configs", "*.yaml")}
_CANN = Path("/usr/local/Ascend/ascend-toolkit/latest/version.cfg")


def host_versions() -> dict[str, str]:
    """Return the versions of Python and the packages, and what CANN's version file says if there is one.

    A checkout may be edited without a new version, so a digest of the code and of the YAMLs counts, too.
    """
    found = {"Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = _NONE
    for name, (package, pattern) in _FILES.items():
        found[name] = _digest(package, pattern)
    if _CANN.is_file():
        found["CANN"] = " ".join(_CANN.read_text(errors="replace").split())
    return found


def differing(versions: Mapping[str, str], others: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the name and both versions of what differs between two hosts."""
    for name in sorted({*versions, *others}):
        mine, other = versions.get(name, _NONE), others.get(name, _NONE)
        if mine != other:
            yield name, mine, other


@cache
def _digest(package: str, pattern: str) -> str:
    """Return 12 digits of the sha256 of a package's files, by names and contents."""
    spec = find_spec(package)
    digest = hashlib.sha256()
    for root in sorted(spec.submodule_search_locations or ()) if spec else ():
        for file in sorted(Path(root).rglob(pattern)):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
