"""What cannot divide is said before a run's first step, where the model is on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelcore.config.reading import read_config
from modelcore.config.runs import Pipeline
from modelcore.errors import MindrailError
from tasks.preflight import preflight
from tests.paths import ROOT

HF = ROOT / "tests" / "modelcore" / "models" / "hf_configs"


def run(tmp_path: Path, model: str, *changes: str) -> Pipeline:
    """A run whose checkpoint is a directory with this model's config.json."""
    shutil.copy(HF / f"{model}.json", tmp_path / "config.json")
    (tmp_path / "rows.json").write_text("[]")
    card = ROOT / "configs" / "finetune_codellama_34b_16p.yaml"
    places = [f"download.source=file://{tmp_path}", f"preprocess.input={tmp_path / 'rows.json'}"]
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
    assert preflight(run(tmp_path, "codellama-34b")) == ()


def test_a_vocabulary_kept_whole_on_purpose_is_a_note_too(tmp_path: Path) -> None:
    notes = preflight(run(tmp_path, "codellama-34b", "parallel.vocab_emb_dp=true"))
    assert len(notes) == 2 and all("32000 rows kept whole" in note for note in notes)
