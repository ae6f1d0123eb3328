"""Which files a completion may read: the standard library, what it loads, and chosen packages. No more."""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

from modelcore.sandbox.isolation import Sight

__all__ = ["sight_of"]

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
_PACKAGE_DIRECTORIES = ("site-packages", "dist-packages")


def sight_of(packages: Sequence[str]) -> Sight:
    """Return what is shown to completions that run under this interpreter.

    Args:
        packages: names of importable top-level packages to show too; those not installed are left out.
    """
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), f"{sys.base_prefix}/lib"}
    read = _outermost(Path(path) for path in (*standard, *_LIBRARIES))
    masked = [inner for path in read if path.is_dir() for inner in _package_directories(path)]
    shown = [path for name in packages for path in _package_files(name)]
    return Sight(
        read=tuple(str(path) for path in read),
        masked=tuple(str(path) for path in masked),
        packages=tuple(str(path) for path in shown),
        search=tuple(sorted({str(path.parent) for path in shown})),
    )


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Return the existing paths, without those inside another."""
    existing = sorted({path for path in paths if path.exists()})
    return [path for path in existing if not any(other in path.parents for other in existing)]


def _package_directories(library: Path) -> list[Path]:
    """Return where packages are installed in a library directory: they may hold a benchmark's solutions."""
    places = [library, *library.glob("python*")]
    return [place / name for place in places for name in _PACKAGE_DIRECTORIES if (place / name).is_dir()]


def _package_files(name: str) -> list[Path]:
    """Return the package's directory or file, and the directory of shared libraries that wheels add to it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return []
    found = Path(spec.origin)
    package = found.parent if spec.submodule_search_locations else found
    return [path for path in (package, package.with_name(f"{name}.libs")) if path.exists()]
