from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.cluster import host_versions as module
from modelcore.cluster.host_versions import differing, host_versions


@pytest.fixture(autouse=True)
def anew() -> None:
    module._digest.cache_clear()


def test_an_edited_checkout_differs_though_its_version_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = host_versions()
    package = tmp_path / "configs"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "finetune.yaml").write_text("train: {steps: 10}\n")
    monkeypatch.setattr(module, "_FILES", {"mindrail's YAMLs": ("configs", "*.yaml")})
    monkeypatch.setattr(
        module, "find_spec", lambda name: type("Spec", (), {"submodule_search_locations": [str(package)]})
    )
    module._digest.cache_clear()
    (first,) = (value for name, value in host_versions().items() if name == "mindrail's YAMLs")
    (package / "finetune.yaml").write_text("train: {steps: 11}\n")
    module._digest.cache_clear()
    second = host_versions()
    assert [name for name, *_ in differing(second, {**second, "mindrail's YAMLs": first})] == [
        "mindrail's YAMLs"
    ]
    assert mine["mindrail's YAMLs"] not in (first, second["mindrail's YAMLs"])


def test_the_same_files_have_the_same_digest() -> None:
    first = host_versions()
    module._digest.cache_clear()
    assert first == host_versions() and len(first["mindrail's code"]) == 12
