"""Graphs are found again only for the same facts and sources, and only if they are whole."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from modelcore.errors import StepFailed
from modelcore.models import graph_cache
from modelcore.models.graph_cache import Sources, compiled_graphs, graph_directory

FACTS = {"family": "llama", "config": {"hidden_size": 8}, "slots": 2}
SOURCES = Sources(("models",))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINDRAIL_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [graph_cache.__file__])  # graphs are kept of programs that are files
    return tmp_path


def compiled(root: Path, monkeypatch: pytest.MonkeyPatch, graph: bytes = b"graph") -> bool:
    """Stand in for a process that compiles where the cache has nothing; return whether it had to."""
    import mindspore

    chosen: dict[str, object] = {}
    monkeypatch.setattr(mindspore, "set_context", chosen.update)
    monkeypatch.setattr(graph_cache, "_used", False)
    with compiled_graphs(FACTS, SOURCES):
        file = Path(str(chosen["compile_cache_path"])) / "rank_0" / "compile_cache_0.mindir"
        if file.exists():
            return False
        file.parent.mkdir(parents=True)
        file.write_bytes(graph)
    assert chosen["enable_compile_cache"] is False
    return True


def test_graphs_are_compiled_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [compiled(root, monkeypatch) for _ in range(3)] == [True, False, False]
    assert [path.name for path in (root / "graphs").iterdir()] == [graph_directory(root, FACTS, SOURCES).name]


def test_a_damaged_graph_is_compiled_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(root, monkeypatch)
    (graph,) = root.rglob("*.mindir")
    graph.write_bytes(graph.read_bytes()[:-1])
    assert compiled(root, monkeypatch)
    assert not compiled(root, monkeypatch)


def test_a_process_that_fails_leaves_no_graphs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_cache, "_used", False)
    with pytest.raises(KeyError), compiled_graphs(FACTS, SOURCES):
        raise KeyError
    assert list((root / "graphs").iterdir()) == []


def test_only_the_first_decoder_of_a_process_uses_them(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_cache, "_used", True)
    with compiled_graphs(FACTS, SOURCES):
        assert list((root / "graphs").iterdir()) == []


def test_other_facts_sources_and_versions_are_other_graphs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = graph_directory(tmp_path, FACTS, SOURCES)
    assert graph_directory(tmp_path, json.loads(json.dumps(FACTS)), SOURCES) == here
    assert graph_directory(tmp_path, {**FACTS, "slots": 3}, SOURCES) != here

    copy = sources_in(tmp_path)
    assert graph_directory(tmp_path, FACTS, Sources(("models",), copy)) == here
    (copy / "models" / "llama" / "decoder.py").write_text("changed")
    assert graph_directory(tmp_path, FACTS, Sources(("models",), copy)) != here
    monkeypatch.setattr(graph_cache, "version", lambda package: "0")
    assert graph_directory(tmp_path, FACTS, SOURCES) != here


def sources_in(tmp_path: Path) -> Path:
    copy = tmp_path / "modelcore"
    shutil.copytree(
        Path(graph_cache.__file__).parent, copy / "models", ignore=shutil.ignore_patterns("__pycache__")
    )
    return copy


@pytest.mark.parametrize("used", [False, True])
def test_graphs_of_sources_that_changed_meanwhile_are_neither_kept_nor_run(
    used: bool, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mindspore

    chosen: dict[str, object] = {}
    monkeypatch.setattr(mindspore, "set_context", chosen.update)
    monkeypatch.setattr(graph_cache, "_used", used)
    copy = sources_in(tmp_path)
    with (
        pytest.raises(StepFailed, match="sources changed"),
        compiled_graphs(FACTS, Sources(("models",), copy)),
    ):
        if not used:
            directory = Path(str(chosen["compile_cache_path"]))
            directory.mkdir()
            (directory / "compile_cache_0.mindir").write_bytes(b"of either")
        (copy / "models" / "layers.py").write_text("changed")
    assert list((root / "graphs").iterdir()) == []
