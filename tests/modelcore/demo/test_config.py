"""The demo's configuration is that of a pipeline once its inputs are generated."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.config.reading import read_config
from modelcore.config.runs import Pipeline
from modelcore.demo.config import Demo
from modelcore.demo.described_model import described_model
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from tests.modelcore.demo.conftest import Written
from tests.paths import ROOT

DEMO = ROOT / "configs" / "demo.yaml"


def test_the_generated_files_stand_in_an_ordinary_configuration_by_their_paths(written: Written) -> None:
    demo = read_config(DEMO, Demo)
    config = demo.pipeline(written.directory)
    assert type(config) is Pipeline
    assert config.download.source == (written.directory / "checkpoint").as_uri()
    assert config.preprocess.input == [str(written.directory / "train.json")]
    assert config.preprocess.benchmarks == [str(written.directory / "benchmark.jsonl")]
    assert config.generate.benchmark == str(written.directory / "benchmark.jsonl")
    assert (config.train, config.parallel, config.name) == (demo.train, demo.parallel, "demo")


def test_what_was_not_generated_keeps_its_name(written: Written, tmp_path: Path) -> None:
    own = tmp_path / "rows.json"
    own.write_text("[]")
    changes = [f"preprocess.input={own}", "generate.benchmark=humaneval", "download.source=hf://owner/name"]
    config = read_config(DEMO, Demo, changes).pipeline(written.directory)
    assert (config.preprocess.input, config.generate.benchmark) == ([str(own)], "humaneval")
    assert config.download.source == "hf://owner/name"


def test_the_described_model_has_the_sizes_of_the_configuration() -> None:
    demo = read_config(DEMO, Demo, ["first_programs.model.num_layers=3"])
    with described_model(demo.first_programs) as directory:
        assert [path.name for path in directory.iterdir()] == ["config.json"]
        config = read_model(directory).config
    assert (config.num_layers, config.hidden_size, config.vocab_size) == (3, 128, 1024)
    assert not directory.exists()


@pytest.mark.parametrize("change", ["num_heads=5", "num_kv_heads=3"])
def test_heads_that_do_not_divide_are_refused(change: str) -> None:
    with pytest.raises(MindrailError, match="is no multiple of num_"):
        read_config(DEMO, Demo, [f"first_programs.model.{change}"])
