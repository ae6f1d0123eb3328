"""A source on this machine has what the run needs; of one elsewhere, what its address tells is checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from tasks.preflight import preflight
from tests.local_runs import Runs


@pytest.fixture
def copy(runs: Runs) -> Path:
    return Path(shutil.copytree(runs.model, runs.directory / "copy"))


def test_weights_are_needed_unless_they_are_random(runs: Runs, copy: Path) -> None:
    for weights in copy.glob("*.safetensors"):
        weights.unlink()
    source = f"download.source={copy.as_uri()}"
    with pytest.raises(MindrailError, match="download.source: .*copy: holds no weights"):
        preflight(runs.read("finetune", source))
    assert preflight(runs.read("pretrain", source, "random_weights=true")) == ()


def test_a_model_that_is_not_implemented_is_refused(runs: Runs, copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(MindrailError, match="download.source: .*config.json: model_type is 'bert'"):
        preflight(runs.read("pipeline", f"download.source={copy.as_uri()}"))


def test_a_tokenizer_is_needed(runs: Runs, copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    with pytest.raises(MindrailError, match="preprocess: .*copy: no tokenizer.model, tokenizer.json"):
        preflight(runs.read("finetune", f"download.source={copy.as_uri()}"))


def test_a_source_elsewhere_is_checked_when_its_config_json_is_there(runs: Runs) -> None:
    config = runs.read("finetune", "download.source=hf://owner/name", "preprocess.seq_length=100000")
    assert preflight(config) == ()
    with pytest.raises(MindrailError, match="seq_length: 100000 tokens, but the model's context is 512"):
        preflight(config, model=runs.model)


@pytest.mark.parametrize("source", ["hf://owner/name", "hf://owner/name@main"])
def test_offline_a_model_must_be_in_the_hubs_cache(
    source: str, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(runs.directory / "empty"))
    with pytest.raises(MindrailError, match="download.source: hf://owner/name.*not in the Hugging Face"):
        preflight(runs.read("finetune", f"download.source={source}", "download.offline=true"))


def test_offline_a_web_address_is_refused(runs: Runs) -> None:
    with pytest.raises(MindrailError, match="download.source: https://host/: .* download.offline is true"):
        preflight(runs.read("finetune", "download.source=https://host/", "download.offline=true"))
