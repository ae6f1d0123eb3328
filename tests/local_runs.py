"""Runs of every kind on a small local model: nothing in them is wrong until a test makes it so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from modelcore.config.reading import read_config
from modelcore.config.runs import RUNS, Run
from modelcore.demo.config import SmallLlama
from modelcore.demo.random_llama import write_random_llama
from tests.byte_vocabulary import write_byte_vocabulary

CONTEXT = 512
PROBLEM = {
    "task_id": "T/0",
    "prompt": "def add(a, b):\n",
    "entry_point": "add",
    "test": "def check(add):\n    assert add(1, 2) == 3\n",
}


def write_model(directory: Path) -> Path:
    """Write a llama with random weights and a byte-level tokenizer, and return the directory."""
    write_byte_vocabulary(directory)
    llama = SmallLlama(
        hidden_size=32, num_layers=2, num_heads=4, num_kv_heads=2, intermediate_size=64, max_positions=CONTEXT
    )
    write_random_llama(directory, llama, vocab_size=260, eos_id=0, pad_id=1, seed=1)
    return directory


class Runs:
    """Configurations in a directory of their own, and what they lead to."""

    def __init__(self, directory: Path, model: Path) -> None:
        self.directory, self.model, self.store = directory, model, directory / "store"
        record = {"instruction": "add", "input": "", "output": "return a + b"}
        (directory / "rows.json").write_text(json.dumps([record]))
        (directory / "texts.json").write_text(json.dumps([{"text": "def add(a, b): return a + b"}]))
        (directory / "benchmark.jsonl").write_text(json.dumps(PROBLEM) + "\n")
        (directory / "empty").mkdir()
        (directory / "broken.json").write_text('{"instruction": ')

    def yaml(self, kind: str) -> Path:
        """Write the YAML of a kind of run and return its path."""
        path = self.directory / f"{kind}.yaml"
        path.write_text(yaml.safe_dump(self._plain(kind)))
        return path

    def read(self, kind: str, *changes: str) -> Run:
        """Return the configuration of a kind of run, changed."""
        return read_config(self.yaml(kind), RUNS[kind], changes)

    def _plain(self, kind: str) -> dict[str, Any]:
        rows, seq_length = ("texts", 16) if kind == "pretrain" else ("rows", 300)
        training: dict[str, Any] = {
            "download": {"source": self.model.as_uri()},
            "preprocess": {"input": str(self.directory / f"{rows}.json"), "seq_length": seq_length},
            "train": {"steps": 10},
        }
        evaluation = {"generate": {"benchmark": str(self.directory / "benchmark.jsonl")}}
        if kind == "pretrain":
            training["preprocess"]["format"] = "text"
        sections: dict[str, dict[str, Any]] = {
            "pipeline": training | evaluation,
            "finetune": training,
            "pretrain": training,
            "evaluate": evaluation | {"checkpoints": [str(self.model)]},
            "predict": {"download": training["download"]},
        }
        return {"store": str(self.store), **sections[kind]}
