"""Which versions of other packages work together, checked before any work begins.

Each bound has a reason that was observed; a wrong version is refused, because most of them silently give
wrong results. Of MindSpore one release is tested. MINDRAIL_MINDSPORE=any allows another, as an Ascend
machine's CANN and driver may ask for; every manifest records both.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.specifiers import SpecifierSet

from modelcore.errors import MindrailError

__all__ = ["MINDSPORE_SWITCH", "check_versions", "code_version", "recorded_versions", "wrong_versions"]

MINDSPORE_SWITCH = "MINDRAIL_MINDSPORE"
"""Environment variable: `any` allows a release of MindSpore that is not tested."""

_ANY = "any"
_MINDSPORE = "mindspore"
_log = logging.getLogger(__name__)

_BOUNDS = {
    _MINDSPORE: ("==2.10.*", "other releases compile these networks differently or not at all"),
    "numpy": ("<2", "MindSpore fails inside reshape and asnumpy with numpy 2"),
    "safetensors": ("<0.8", "0.8 writes wrong bytes for arrays that are not contiguous"),
    "prefect": ("==3.8.*", "another release migrates the server's database or renames its settings"),
    "fastapi": ("<0.151", "Prefect 3.8 fails at import with later ones"),
    "sqlalchemy": ("<2.1", "Prefect 3.8's scheduler fails with later ones, seen only in its log"),
}
_PYTHONS = ((3, 10), (3, 12))


def check_versions() -> None:
    """Check the installed versions of Python and of the packages.

    Raises:
        MindrailError: naming the package, the version found, the bound and its reason; or the switch has
            another value than `any`.
    """
    _check_python()
    for name, (bound, reason) in _BOUNDS.items():
        _check(name, bound, reason)


def wrong_versions() -> list[str]:
    """Return what `check_versions` would refuse, one line each."""
    found = []
    packages = [partial(_check, name, *bound) for name, bound in _BOUNDS.items()]
    checks: list[Callable[[], None]] = [_check_python, *packages]
    for check in checks:
        try:
            check()
        except MindrailError as error:
            found.append(str(error))
    return found


def code_version() -> str:
    """Return mindrail's version; of a checkout also the commit, and whether files differ from it."""
    released = _installed("mindrail") or "not installed"
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return released
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return released
    return released if described.returncode else f"{released} ({described.stdout.strip()})"


def recorded_versions() -> dict[str, str]:
    """Return what every manifest records: MindSpore's version, and the switch where it is set."""
    switch = os.environ.get(MINDSPORE_SWITCH)
    return {_MINDSPORE: _installed(_MINDSPORE) or "none", **({MINDSPORE_SWITCH: switch} if switch else {})}


def _check_python() -> None:
    if not _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
        raise MindrailError(
            f"this is Python {sys.version_info[0]}.{sys.version_info[1]}, mindrail needs 3.10 to 3.12",
            fix="create a virtual environment with one of these and run `make setup`",
        )


def _check(name: str, bound: str, reason: str) -> None:
    found = _installed(name)
    if found is None:
        raise MindrailError("is not installed", where=name, fix="run `make setup`")
    if SpecifierSet(bound).contains(found, prereleases=True):
        return
    if name == _MINDSPORE and _any_mindspore():
        _log.warning("%s %s is not tested, %s is; %s=any allows it", name, found, bound, MINDSPORE_SWITCH)
        return
    switch = f", or set {MINDSPORE_SWITCH}=any to try it" if name == _MINDSPORE else ""
    raise MindrailError(
        f"{found} is installed, mindrail needs {bound}: {reason}", where=name, fix=f"run `make setup`{switch}"
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _any_mindspore() -> bool:
    switch = os.environ.get(MINDSPORE_SWITCH, "")
    if switch not in ("", _ANY):
        raise MindrailError(f"{switch!r}, must be {_ANY} or not set", where=MINDSPORE_SWITCH)
    return switch == _ANY
