"""A download's source may be a shipped model's name; a slip is answered with the nearest one."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.models import shipped
from modelcore.models.shipped import address_of, model_of


def test_a_name_stands_for_its_source() -> None:
    found = model_of("codellama-34b-instruct")
    assert found is not None
    assert (found.family, found.source) == ("llama", "hf://codellama/CodeLlama-34b-Instruct-hf")


def test_a_path_is_an_address_and_a_repository_without_hf_is_answered_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my model.ckpt").touch()
    assert address_of("my model.ckpt") == (tmp_path / "my model.ckpt").as_uri()
    with pytest.raises(MindrailError, match=r"did you mean hf://codellama/CodeLlama-7b-hf\?"):
        address_of("codellama/CodeLlama-7b-hf")


@pytest.mark.parametrize("source", ["hf://owner/name", "https://host/a/", "file:///a", "file://{x}/y"])
def test_an_address_is_no_name(source: str) -> None:
    assert model_of(source) is None


def test_a_slip_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(MindrailError, match=r"codelama-7b: .*did you mean codellama-7b\?"):
        model_of("codelama-7b")
    with pytest.raises(MindrailError, match="give hf://owner/name"):
        model_of("gpt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("family: bert", "family: .*not one of llama, gpt_bigcode"),
        ("source: https://host/", "source: "),
        ("pad_id: -1", "pad_id: "),
        ("colour: red", "colour: unknown key"),
    ],
)
def test_a_wrong_yaml_is_named_with_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, message: str
) -> None:
    keys = {"family": "llama", "source": "hf://a/b", "template": "base", "pad_id": "0"}
    key, value = change.split(": ")
    lines = [f"{name}: {text}\n" for name, text in {**keys, key: value}.items()]
    (tmp_path / "x.yaml").write_text("".join(lines))
    monkeypatch.setattr(shipped, "MODELS", tmp_path)
    with pytest.raises(MindrailError, match=message):
        model_of("x")
