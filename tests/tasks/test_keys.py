"""An artifact's key depends on its step's inputs and options alone: an old store is still full of hits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from modelcore.config.checkpoint import Convert, Download
from modelcore.config.data import Preprocess
from modelcore.config.evaluation import Generate, Score
from modelcore.config.reading import parse
from modelcore.config.runs import Training
from modelcore.config.training import Parallel
from modelcore.store.store import Built, Store, _key_of
from tasks.convert import convert
from tasks.download import download
from tasks.export import export
from tasks.extract import extract
from tasks.generate import generate
from tasks.initialize import initialize
from tasks.launch import launch
from tasks.merge import merge
from tasks.preprocess import preprocess
from tasks.reshard import reshard
from tasks.score import score
from tasks.shard import shard
from tasks.step import Step


class Asked(Exception):
    """Ends a step when it has said what its artifact depends on."""


class KeysOnly(Store):
    """A store that looks nothing up: it answers with the key."""

    def build(
        self,
        step: str,
        build: Callable[[Path], object],
        *,
        version: int,
        inputs: Mapping[str, str],
        parameters: Mapping[str, Any],
        recorded: Mapping[str, Any] = {},
        on_wait: Callable[[], None] = lambda: None,
    ) -> Built:
        raise Asked(f"{step}/{_key_of(step, version, inputs, json.loads(json.dumps(parameters)))}")


PROBLEM = {
    "task_id": "T/0",
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "test": "def check(f):\n    assert f(1) == 2\n",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with training data, a benchmark and a tokenizer; its path is in no key."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.json").write_text("[]")
    (tmp_path / "benchmark.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").write_text("{}")
    return tmp_path


def step(name: str, path: str = ".") -> Step:
    return Step(name, Path(path), f"digest of {name}", True, 0.0, 0, 0.0)


def section(schema: type, **values: Any) -> Any:
    return parse(values, schema, where="test")


def training(**train: Any) -> Training:
    return section(
        Training,
        download={"source": "codellama-7b"},
        preprocess={"input": "rows.json", "validation": train.pop("validation", 0)},
        parallel={"data_parallel": 2, "recompute": True},
        launch={"world_size": 2},
        train={"steps": 10, **train},
    )


def key(task: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(Asked) as asked:
        task.fn(KeysOnly(Path("store")), *arguments, **options)
    return str(asked.value)


CASES: dict[str, Callable[[], str]] = {
    "download/571b93f92f930d5c4308": lambda: key(download, section(Download, source="codellama-7b")),
    "download/0b546b4c53ba4e415738": lambda: key(
        download, section(Download, source="hf://a/b", revision="main", sha256={"x": "0" * 64}), weights=False
    ),
    "convert/e8737929d6e428416f13": lambda: key(convert, step("download"), Convert()),
    "convert/6dcd029519e1d2824ccc": lambda: key(
        convert, step("download"), section(Convert, format="safetensors", dtype="bf16", verify=True)
    ),
    "export/cdf0968ed914a9892cea": lambda: key(export, step("merge"), section(Convert, format="safetensors")),
    "initialize/ee2f06d5a354c2ba0ed8": lambda: key(initialize, step("download"), 7),
    "preprocess/5d51497c2073b99a3fd9": lambda: key(
        preprocess, step("download", "tokenizer"), section(Preprocess, input="rows.json")
    ),
    "preprocess/c48d0514a88e99034222": lambda: key(
        preprocess,
        step("download", "tokenizer"),
        section(
            Preprocess,
            input="rows.json",
            format="deepseek",
            seq_length=128,
            strict=True,
            skip_bad=True,
            pack=True,
            validation=0.1,
            drop_duplicates=True,
            near_duplicates="drop",
            near_threshold=0.7,
            benchmarks=["benchmark.jsonl"],
            contaminated="drop",
            ngram=10,
        ),
    ),
    "shard/e5e25d0c597dc168cec8": lambda: key(shard, step("convert"), Parallel()),
    "shard/8eeae76b324dd67e9bfa": lambda: key(
        shard,
        step("convert"),
        section(Parallel, pipeline_stage=2, offset=[0, 1], micro_batch_num=4, recompute=True),
        "safetensors",
    ),
    "reshard/cbe4aa84d3b8baa5b2fc": lambda: key(
        reshard, step("shard"), section(Parallel, shard_optimizer=True)
    ),
    "launch/0f705685c36fa87ddcfb": lambda: key(launch, step("shard"), step("preprocess"), training()),
    "launch/0523ac3573bcc9ed92d8": lambda: key(
        launch,
        step("shard"),
        step("preprocess"),
        training(
            validation=0.1,
            batch_size=2,
            accumulate=3,
            learning_rate=1e-3,
            warmup_steps=2,
            final_rate=0.0,
            weight_decay=0.1,
            beta1=0.8,
            beta2=0.9,
            epsilon=1e-6,
            clip_norm=0.5,
            precision="bf16",
            checkpoint_every=7,
            keep=3,
            peak_tflops=2.0,
        ),
    ),
    "merge/bd0ee21fa08854d771ce": lambda: key(merge, step("launch")),
    "generate/6be34bfa968cc778c451": lambda: key(
        generate, step("merge"), section(Generate, benchmark="benchmark.jsonl", template="wizardcoder"), 1
    ),
    "generate/e407e7a171ababedfae0": lambda: key(
        generate,
        step("merge"),
        section(
            Generate,
            benchmark="benchmark.jsonl",
            template="base",
            max_new_tokens=64,
            batch_size=3,
            samples=2,
            temperature=0.8,
            top_p=0.9,
        ),
        2,
    ),
    "extract/3fdfe1a05b65c22f7c01": lambda: key(
        extract, step("generate"), section(Generate, benchmark="benchmark.jsonl", template="wizardcoder")
    ),
    "score/cdf548e387b45f27a30c": lambda: key(
        score,
        step("extract"),
        section(Generate, benchmark="benchmark.jsonl", template="wizardcoder"),
        Score(),
    ),
    "score/a54f1e8cbb9852dbe7e9": lambda: key(
        score,
        step("extract"),
        section(Generate, benchmark="benchmark.jsonl", template="wizardcoder"),
        section(Score, k=[1, 2], workers=3, timeout=1.5, memory_mb=512, require_isolation="namespaces"),
    ),
}


@pytest.mark.parametrize("pinned", CASES)
def test_a_key_is_what_it_was(pinned: str, here: Path) -> None:
    assert CASES[pinned]() == pinned
