from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from modelcore.sandbox.visible_files import visible_files


def covers(paths: tuple[str, ...], file: str) -> bool:
    return any(Path(path) in (Path(file), *Path(file).parents) for path in paths)


def origin(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    return spec.origin


def test_the_standard_library_is_visible_and_not_masked() -> None:
    visible = visible_files(())
    assert covers(visible.read, origin("json")) and not covers(visible.masked, origin("json"))
    assert visible.packages == visible.search == ()


def test_the_libraries_that_the_interpreter_has_loaded_are_visible() -> None:
    maps = Path("/proc/self/maps").read_text()
    libraries = re.findall(r"(/\S*/lib(?:c|m|dl|pthread)[.-]\S*)$", maps, re.MULTILINE)
    assert libraries
    assert all(covers(visible_files(()).read, library) for library in libraries)
    assert not Path("/etc/ld.so.cache").exists() or "/etc/ld.so.cache" in visible_files(()).read


def test_directories_of_packages_are_masked_in_every_visible_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = ["lib/python3/dist-packages", "lib/python3.11/site-packages", "lib/site-packages"]
    for name in (*packages, "lib/python3/json"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    visible = visible_files(())
    assert str(tmp_path / "lib") in visible.read
    masked = {path for path in visible.masked if path.startswith(str(tmp_path))}
    assert masked == {str(tmp_path / name) for name in packages}


def test_no_visible_path_lies_inside_another() -> None:
    read = visible_files(()).read
    assert not [path for path in read if covers(tuple(other for other in read if other != path), path)]


def test_installed_packages_are_invisible_unless_they_are_named() -> None:
    visible = visible_files(())
    assert not covers(visible.read, origin("pytest")) or covers(visible.masked, origin("pytest"))
    named = visible_files(("pytest",))
    assert named.packages == (str(Path(origin("pytest")).parent),)
    assert named.search == (str(Path(origin("pytest")).parents[1]),)


def test_a_package_brings_the_shared_libraries_of_its_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for directory in ("fast", "fast.libs"):
        (tmp_path / directory).mkdir()
    (tmp_path / "fast" / "__init__.py").touch()
    (tmp_path / "single.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    visible = visible_files(("fast", "single"))
    assert visible.packages == tuple(str(tmp_path / name) for name in ("fast", "fast.libs", "single.py"))
    assert visible.search == (str(tmp_path),)


def test_a_package_that_is_not_installed_is_left_out() -> None:
    assert visible_files(("no_such_package", "sys")).packages == ()
