"""The files that a completion may read: the standard library, the libraries it loads, chosen packages."""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

from modelcore.sandbox.isolation import VisibleFiles

__all__ = ["visible_files"]

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_PACKAGE_DIRECTORIES = ("site-packages", "dist-packages")


def visible_files(packages: Sequence[str]) -> VisibleFiles:
    """Return the files that completions under this interpreter may read.

    Args:
        packages: names of top-level packages to include; those not installed are left out.
    """
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), f"{sys.base_prefix}/lib"}
    read = _outermost(Path(path) for path in (*standard, *_LIBRARIES))
    masked = [inner for path in read if path.is_dir() for inner in _package_directories(path)]
    importable = [path for name in packages for path in _package_files(name)]
    return VisibleFiles(
        read=tuple(str(path) for path in read),
        masked=tuple(str(path) for path in masked),
        packages=tuple(str(path) for path in importable),
        search=tuple(sorted({str(path.parent) for path in importable})),
    )


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Return the existing paths that are not inside another of them."""
    existing = sorted({path for path in paths if path.exists()})
    return [path for path in existing if not any(other in path.parents for other in existing)]


def _package_directories(library: Path) -> list[Path]:
    """Return the directories of installed packages, which may include a benchmark's solutions."""
    parents = [library, *library.glob("python*")]
    return [parent / name for parent in parents for name in _PACKAGE_DIRECTORIES if (parent / name).is_dir()]


def _package_files(name: str) -> list[Path]:
    """Return the package's directory or file, and its wheel's directory of shared libraries."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return []
    origin = Path(spec.origin)
    package = origin.parent if spec.submodule_search_locations else origin
    return [path for path in (package, package.with_name(f"{name}.libs")) if path.exists()]
