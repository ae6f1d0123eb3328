"""A new configuration: it is read and planned without a mistake, and its layout fits the devices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import command_line
from modelcore.config.reading import read_config, read_yaml
from modelcore.config.runs import Finetune
from modelcore.errors import MindrailError
from modelcore.models.shipped import shipped_models


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"instruction": "add", "input": "", "output": "return a + b"}]))
    return path


def init(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command_line, ["init", str(file), *arguments], catch_exceptions=False)


MODELS = {
    "qwen2.5-coder-0.5b-instruct": "chatml",
    "wizardcoder-15b": "wizardcoder",
    "codellama-7b": "llama",
    "deepseek-coder-1.3b-instruct": "deepseek",
}
"""A model of each family, and of each kind of vocabulary: its rows."""


def test_every_family_has_a_model_in_this_test() -> None:
    families = {model.family for name, model in shipped_models().items() if name in MODELS}
    assert families == {model.family for model in shipped_models().values()}


@pytest.mark.parametrize("model", MODELS)
def test_plan_finds_no_mistake_in_it(model: str, tmp_path: Path, data: Path) -> None:
    file = tmp_path / "new.yaml"
    memory = ("--devices", "8", "--device-memory", "64GB")
    init(file, "--model", model, "--data", str(data), "--benchmark", "humaneval", *memory)
    store = str(tmp_path / "store")
    done = CliRunner().invoke(command_line, ["plan", str(file), "--store", store, "--json"])
    planned: dict[str, Any] = json.loads(done.stdout)
    assert planned["problems"] == [] and planned["parameters"] > 4e8
    assert read_yaml(file)["preprocess"]["format"] == MODELS[model]
    assert all(" # " in line for line in file.read_text().splitlines()[1:] if not line.endswith(":"))


def test_the_layout_divides_the_model_as_little_as_fits(tmp_path: Path, data: Path) -> None:
    layouts = {}
    for memory in ("4000GB", "64GB"):
        file = tmp_path / f"{memory}.yaml"
        init(
            file,
            *("--model", "codellama-34b", "--data", str(data)),
            *("--devices", "16", "--device-memory", memory),
        )
        parallel = read_config(file, Finetune).parallel
        layouts[memory] = (parallel.data_parallel, parallel.model_parallel * parallel.pipeline_stage)
    assert layouts["4000GB"] == (16, 1)
    assert layouts["64GB"][1] > 1


def test_a_model_that_fits_nowhere_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(MindrailError, match="no layout of 1 ranks fits 16GB"):
        init(
            tmp_path / "x.yaml", *("--model", "codellama-34b", "--data", str(data), "--device-memory", "16GB")
        )


def test_nothing_is_overwritten_and_what_is_missing_is_named(tmp_path: Path, data: Path) -> None:
    file = tmp_path / "x.yaml"
    done = CliRunner().invoke(command_line, ["init", str(file), "--model", "codellama-7b"])
    assert done.exit_code == 2 and "--data is needed" in done.output
    file.write_text("name: mine\n")
    with pytest.raises(MindrailError, match="is there already"):
        init(file, "--model", "codellama-7b", "--data", str(data))
    assert file.read_text() == "name: mine\n"
