"""A layout that a model cannot be divided by is refused before work, where config.json is on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from modelcore.config.reading import read_config
from modelcore.config.runs import Pipeline
from modelcore.errors import MindrailError
from tasks.preflight import host_memory, preflight
from tests.byte_vocabulary import write_byte_vocabulary
from tests.paths import ROOT

HF = ROOT / "configs" / "models"


@pytest.fixture(autouse=True)
def an_accelerator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """These models are not for a CPU: have their ranks elsewhere, and a disk large enough."""
    monkeypatch.setattr(host_memory, "_ASCEND", tmp_path)
    monkeypatch.setattr(
        "tasks.preflight.disk_space.shutil.disk_usage", lambda _: SimpleNamespace(free=10**14)
    )


def run(tmp_path: Path, model: str, *changes: str) -> Pipeline:
    """A run whose checkpoint is a directory with this model's config.json."""
    shutil.copy(HF / f"{model}.json", tmp_path / "config.json")
    write_byte_vocabulary(tmp_path)
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "rows.json").write_text('[{"instruction": "add", "output": "a + b"}]')
    card = ROOT / "configs" / "finetune_codellama_34b_16p.yaml"
    places = [
        f"download.source=file://{tmp_path}",
        f"preprocess.input={tmp_path / 'rows.json'}",
        "preprocess.format=wizardcoder",
        "generate.template=wizardcoder",
        "baseline=false",
    ]
    return read_config(card, Pipeline, [*places, *changes])


def layout(data: int, model: int, stages: int, *more: str) -> list[str]:
    axes = {"data_parallel": data, "model_parallel": model, "pipeline_stage": stages}
    changes = [f"parallel.{axis}={size}" for axis, size in axes.items()]
    return [*changes, f"launch.world_size={data * model * stages}", *more]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (layout(1, 16, 2), "num_key_value_heads 8 of config.json does not divide by model_parallel 16"),
        (layout(1, 8, 5), "48 layers do not divide into 5 stages; give offset, e.g. [0, 0, 1, 1, 1]"),
        (layout(1, 8, 2, "parallel.offset=[2,-1]"), "[2, -1] makes stages of [26, 23] layers"),
        (layout(1, 8, 2, "parallel.offset=[24,-24]"), "[24, -24] makes stages of [48, 0] layers"),
    ],
)
def test_a_layout_that_does_not_divide_is_refused(changes: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(MindrailError) as refused:
        preflight(run(tmp_path, "codellama-34b", *changes))
    assert said in str(refused.value)


def test_a_vocabulary_that_does_not_divide_is_a_note(tmp_path: Path) -> None:
    (note,) = preflight(run(tmp_path, "wizardcoder-15b", *layout(1, 4, 2)))
    assert "49153 rows kept whole on every rank" in note
    assert preflight(run(tmp_path, "codellama-34b", "parallel.vocab_emb_dp=false")) == ()


def test_a_vocabulary_kept_whole_on_purpose_is_a_note_too(tmp_path: Path) -> None:
    notes = preflight(run(tmp_path, "codellama-34b", "parallel.vocab_emb_dp=true"))
    assert len(notes) == 2 and all("32000 rows kept whole" in note for note in notes)


def test_a_tokenizer_that_lacks_the_row_formats_tokens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="preprocess: tokenizer: format codellama-instruct needs '<s>'"):
        preflight(run(tmp_path, "codellama-34b", "preprocess.format=codellama-instruct"))
