"""A prediction holds prompt and completion apart; what is wrong is refused before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.config.evaluation import Prediction
from modelcore.config.reading import parse
from modelcore.demo.config import SmallLlama
from modelcore.demo.random_llama import write_random_llama
from modelcore.demo.tokenizer import write_tokenizer
from modelcore.errors import MindrailError
from modelcore.store.store import Store
from tasks.inputs import input_step
from tasks.predict import PREDICTIONS, predict
from tasks.preflight.prediction import check_prediction
from tasks.step_task import finished


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("checkpoint")
    source = directory / "hf"
    source.mkdir()
    tokenizer = write_tokenizer(source, ["def f(x):"], vocab_size=270, max_length=64)
    sizes = SmallLlama(
        hidden_size=32, num_layers=1, num_heads=2, num_kv_heads=1, intermediate_size=48, max_positions=64
    )
    write_random_llama(
        source, sizes, vocab_size=tokenizer.get_vocab_size(), eos_id=0, pad_id=1, seed=3, shards=1
    )
    convert_checkpoint(source, directory / "mindspore", to="mindspore")
    return directory / "mindspore"


def asked(**values: Any) -> Prediction:
    return parse({"max_new_tokens": 6, **values}, Prediction)


def test_predictions_come_from_files_and_texts_and_cached_graphs_change_nothing(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINDRAIL_CACHE", str(tmp_path / "cache"))
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"prompt": "def f("}\n{"task_id": "long", "prompt": "%s"}\n' % ("x" * 99))
    store = Store(tmp_path / "store")
    source = input_step(store, str(checkpoint), key="checkpoint")
    runs = []
    for config in (
        asked(prompts_file=str(questions), long_prompts="cut"),
        asked(prompts=["def f(", "x = 1"]),
    ):
        step = finished(predict.fn(store, source, config))
        lines = (step.path / PREDICTIONS).read_text().splitlines()
        runs.append([json.loads(line) for line in lines])
    of_file, of_texts = runs
    assert [row["task_id"] for row in of_file] == ["1", "long"]
    assert of_file[1]["prompt_cut"] == 99 - 58
    assert "prompt_cut" not in of_file[0]
    for row in of_file + of_texts:
        assert set(row) >= {"prompt", "completion", "tokens", "finish", "seconds"}
        assert 0 < row["tokens"] <= 6
    # the first run compiled, the second found graphs if its shapes were the same
    assert of_file[0]["completion"] == of_texts[0]["completion"]
    assert list((tmp_path / "cache" / "graphs").iterdir())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give either prompts, or a file of prompts, or prefix and suffix"),
        ({"prompts": ["a"], "prefix": "a", "suffix": "b"}, "give either prompts"),
        ({"prefix": "a"}, "prefix and suffix belong together"),
        ({"prompts": ["a"], "min_new_tokens": 7}, "min_new_tokens 7 is above max_new_tokens 6"),
        ({"prompts": ["x" * 64]}, "prompt: 1: the prompt has 64 tokens, the model's context is 64"),
        ({"prompts": ["a", ""]}, "prompt: 2: the prompt is empty"),
        ({"prefix": "a", "suffix": "b"}, "no tokens for prefix and suffix"),
        ({"prompts_file": "nowhere.jsonl"}, "nowhere.jsonl: no such file"),
    ],
)
def test_wrong_questions_are_one_line(
    values: dict[str, Any], message: str, checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(MindrailError, match=message) as refused:
        check_prediction(asked(**values), Store(tmp_path), str(checkpoint))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ("[[40,25]]", "65 tokens, the model's context is 64"),
        ("[[0,5]]", "lengths are 1 or more"),
        ("[[1,2,3]]", "not a list of pairs"),
        ("[]", "not a list of pairs"),
        ("x", "not JSON"),
    ],
)
def test_a_benchmark_of_wrong_lengths_is_refused(pairs: str, message: str, checkpoint: Path) -> None:
    done = CliRunner().invoke(command_line, ["bench", "generate", str(checkpoint), "--pairs", pairs])
    assert message in str(done.exception) + done.output
