"""Imports only go down: flows → tasks → modelcore, and inside modelcore from a package to those below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

FLOORS = ("flows", "tasks", "modelcore")
PACKAGES = (
    *("demo", "serving", "training", "generation", "cluster", "launching", "evaluation", "sandbox"),
    *("checkpoints", "models", "parallel", "weights", "data", "store", "report", "config", "boundary"),
)
"""Top to bottom, as CONTRIBUTING.md lists them."""

ANYWHERE = ("errors", "progress", "units", "versions")
"""Modules that every package may use, and that use none."""


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def modules(floor: str) -> list[Path]:
    return sorted((ROOT / floor).rglob("*.py"))


@pytest.mark.parametrize("floor", FLOORS)
def test_no_floor_imports_one_above_it(floor: str) -> None:
    above = FLOORS[: FLOORS.index(floor)]
    wrong = [
        (str(path), name) for path in modules(floor) for name in imports(path) if name.split(".")[0] in above
    ]
    assert wrong == []


def test_modelcore_knows_nothing_of_prefect() -> None:
    assert [
        str(path) for path in modules("modelcore") if any(n.split(".")[0] == "prefect" for n in imports(path))
    ] == []


def rank(parts: tuple[str, ...]) -> int | None:
    """How far down a module of modelcore lies, None where the order says nothing about it."""
    return PACKAGES.index(parts[1]) if len(parts) > 1 and parts[1] in PACKAGES else None


def test_no_package_of_modelcore_imports_one_above_it() -> None:
    wrong = []
    for path in modules("modelcore"):
        here = rank(path.relative_to(ROOT).parts)
        for name in imports(path):
            there = rank(tuple(name.split("."))) if name.startswith("modelcore.") else None
            if there is not None and (here is None or there < here):
                wrong.append((str(path.relative_to(ROOT)), name))
    assert wrong == []


def test_every_package_of_modelcore_is_in_the_order() -> None:
    found = {path.name for path in (ROOT / "modelcore").iterdir() if (path / "__init__.py").is_file()}
    assert found <= set(PACKAGES)
    assert {path.stem for path in (ROOT / "modelcore").glob("*.py")} == {"__init__", *ANYWHERE}
