"""Which versions of other packages work together, checked before any work begins.

Each bound has a reason that was observed; a wrong version is refused, because most of them silently give
wrong results.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from packaging.specifiers import SpecifierSet

from modelcore.errors import MindrailError

__all__ = ["check_versions"]

_BOUNDS = {
    "mindspore": ("==2.10.*", "other releases compile these networks differently or not at all"),
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
        MindrailError: naming the package, the version found, the bound and its reason.
    """
    if not _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
        raise MindrailError(
            f"this is Python {sys.version_info[0]}.{sys.version_info[1]}, mindrail needs 3.10 to 3.12",
            fix="create a virtual environment with one of these and run `make setup`",
        )
    for name, (bound, reason) in _BOUNDS.items():
        _check(name, bound, reason)


def _check(name: str, bound: str, reason: str) -> None:
    try:
        found = version(name)
    except PackageNotFoundError as error:
        raise MindrailError("is not installed", where=name, fix="run `make setup`") from error
    if not SpecifierSet(bound).contains(found, prereleases=True):
        raise MindrailError(
            f"{found} is installed, mindrail needs {bound}: {reason}", where=name, fix="run `make setup`"
        )
