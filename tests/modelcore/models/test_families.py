"""Which family a config.json is of, and what is refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.models.families import FAMILIES, model_from_config, read_model
from modelcore.models.model import Model
from tests.families import SMALL
from tests.paths import ROOT

HF = ROOT / "configs" / "models"


def test_every_family_has_a_small_model_for_the_tests() -> None:
    assert list(SMALL) == list(FAMILIES)
    assert all(raw["model_type"] == name for name, raw in SMALL.items())


def test_a_directory_is_of_the_family_its_config_names(tmp_path: Path) -> None:
    for name, family in (
        ("codellama-34b", "llama"),
        ("wizardcoder-15b", "gpt_bigcode"),
        ("qwen2.5-coder-7b", "qwen2"),
    ):
        (tmp_path / "config.json").write_bytes((HF / f"{name}.json").read_bytes())
        assert read_model(tmp_path).family.name == family


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no config.json here; put the model's Hugging Face config.json beside its weights"),
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "model_type is None: not implemented"),
        ('{"model_type": "gpt2"}', "model_type is 'gpt2': not implemented, only llama, gpt_bigcode"),
    ],
)
def test_what_is_no_known_model_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(MindrailError, match=message):
        read_model(tmp_path)


def test_a_feature_that_is_not_implemented_is_refused_by_its_key() -> None:
    raw = json.loads((HF / "codellama-7b.json").read_text())
    with pytest.raises(MindrailError, match=r"x: hidden_act is 'gelu'"):
        model_from_config(raw | {"hidden_act": "gelu"}, "x")


@pytest.mark.parametrize(
    ("name", "read_only", "attention"),
    [
        ("codellama-7b", 32016 * 4096, 32 * 4096),  # a head of its own: the embedding is only looked up
        ("qwen2.5-coder-7b", 152064 * 3584, 28 * 3584),
        ("qwen2.5-coder-0.5b", 0, 24 * 896),  # the embedding is the head, and positions are rotary
        ("wizardcoder-15b", 8192 * 6144, 40 * 6144),  # the embedding is the head: only positions are
    ],
)
def test_what_is_only_looked_up_costs_no_operations(name: str, read_only: int, attention: int) -> None:
    model = published_model(name)
    elements = sum(math.prod(shape) for shape in model.config.parameter_shapes().values())
    assert model.flops_per_token(2048) == 6 * (elements - read_only) + 12 * attention * 2048


def published_model(name: str) -> Model:
    path = HF / f"{name}.json"
    return model_from_config(json.loads(path.read_text()), path)


def test_neither_mindspore_nor_torch_is_imported() -> None:
    check = "import sys, modelcore.checkpoints.convert, modelcore.store.download;"
    check += "assert not {'mindspore', 'torch', 'huggingface_hub'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT)
