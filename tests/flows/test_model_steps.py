"""Training, generating and scoring as flows of their own: they find what the whole pipeline built."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import model_steps
from flows.demo import DEMO
from flows.predict import predict
from modelcore.config.reading import parse, read_config
from modelcore.config.runs import Finetune, Pipeline, Predict
from modelcore.demo.config import Demo as DemoConfig
from modelcore.errors import MindrailError, StepFailed
from tests.flows.reduced_demo import REDUCED, Demo
from tests.paths import ROOT

pytestmark = [pytest.mark.ranks, pytest.mark.server]


@pytest.fixture
def run(demo: Demo) -> Pipeline:
    """The demo's own configuration, with the paths of the generated files."""
    config = read_config(DEMO, DemoConfig, [*REDUCED, f"store={demo.store}"])
    return config.pipeline(demo.path("first-programs"))


def test_the_steps_of_a_pipeline_one_by_one_find_its_artifacts(demo: Demo, run: Pipeline) -> None:
    store = run.store
    config = read_config(DEMO, DemoConfig, REDUCED)
    assert model_steps.first_programs(config.first_programs, store).cached
    finetune = Finetune(**{name: getattr(run, name) for name in Finetune.model_fields})
    launched = model_steps.launch(str(demo.path("shard")), str(demo.path("preprocess")), finetune)
    assert launched.cached and launched.path == demo.path("launch")
    generated = model_steps.generate(str(demo.path("merge")), run.generate, run.seed, store)
    extracted = model_steps.extract(str(generated.path), run.generate, store)
    scored = model_steps.score(
        str(extracted.path), run.generate.benchmark, run.generate.template_name, run.score, store
    )
    assert generated.cached and extracted.cached and scored.cached


def test_a_model_is_exported_initialized_and_divided_to_generate(demo: Demo, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    assert (model_steps.export(str(demo.path("convert")), store=store).path / "model.safetensors").is_file()
    source = demo.path("download")
    assert (model_steps.initialize(str(source), 3, store).path / "model.ckpt").is_file()
    raw = {
        "store": store,
        "download": {"source": source.as_uri()},
        "convert": {"format": "safetensors"},
        "parallel": {"model_parallel": 2},
    }
    shards = predict(parse(raw, Predict))
    assert sorted(path.name for path in shards.path.glob("rank_*/*.safetensors")) == [
        "checkpoint_0.safetensors",
        "checkpoint_1.safetensors",
    ]
    assert model_steps.verify(store) == {"artifacts": 5, "damaged": 0}
    (shards.path / "config.json").write_text("{}")
    with pytest.raises(StepFailed, match="config.json"):
        model_steps.verify(store)


def test_a_layout_is_shown_and_a_rank_that_does_not_fit_fails(demo: Demo) -> None:
    shown = model_steps.layout(str(ROOT / "configs" / "demo.yaml"), ["parallel.recompute=true"], "64GB")
    assert [rank["rank"] for rank in shown["ranks"]] == [0, 1]
    with pytest.raises(StepFailed, match="device_memory: 1MB: a rank needs"):
        model_steps.layout(str(ROOT / "configs" / "demo.yaml"), device_memory="1MB")
    with pytest.raises(MindrailError, match="device_memory: 'x' is not of the form"):
        model_steps.layout(str(ROOT / "configs" / "demo.yaml"), device_memory="x")


def test_what_is_no_answer_is_named_before_it_is_scored(demo: Demo) -> None:
    with pytest.raises(MindrailError, match="samples: .*samples.jsonl: there is no such file"):
        model_steps.score(str(demo.path("merge")), store=str(demo.store))
