"""`mindrail evaluate` takes a shipped model by its name, with its own template; wrong names are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.store.store import Store
from tasks.named_checkpoint import named_checkpoint


def test_a_models_name_stands_for_its_source_unless_there_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "store")
    assert named_checkpoint(store, "codellama-7b") is None
    (tmp_path / "codellama-7b").mkdir()
    assert named_checkpoint(store, "codellama-7b") == Path("codellama-7b")


@pytest.mark.parametrize(
    ("name", "fix"),
    [("codelama-7b", "did you mean codellama-7b?"), ("nowhere", "check the path, or see: mindrail models")],
)
def test_what_is_neither_is_refused_by_name(tmp_path: Path, name: str, fix: str) -> None:
    with pytest.raises(MindrailError) as refused:
        named_checkpoint(Store(tmp_path), name)
    assert (
        str(refused.value) == f"{name}: there is no such file or directory, and no model of that name; {fix}"
    )
