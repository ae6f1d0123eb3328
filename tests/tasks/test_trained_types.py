"""Trained weights are written in the type that they had before training, unless another is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcore.config.reading import parse
from modelcore.config.runs import Training
from tasks.trained_types import TrainedTypes, trained_types
from tests.families import small


def types(directory: Path, dtype: str, **sections: Any) -> TrainedTypes:
    (directory / "config.json").write_text(json.dumps({**small("llama"), "torch_dtype": dtype}))
    run = {"download": {"source": "a"}, "preprocess": {"input": "a"}, "train": {"steps": 10}}
    return trained_types(parse({**run, **sections}, Training), directory)


@pytest.mark.parametrize(
    ("dtype", "sections", "expected"),
    [
        ("bfloat16", {}, TrainedTypes("bf16", "keep")),
        ("float32", {}, TrainedTypes("keep", "keep")),
        ("bfloat16", {"merge": {"dtype": "fp32"}}, TrainedTypes("keep", "bf16")),
        ("float16", {"export": {"dtype": "bf16"}}, TrainedTypes("fp16", "bf16")),
        ("bfloat16", {"merge": {"dtype": "fp16"}, "export": {"dtype": "fp16"}}, TrainedTypes("fp16", "keep")),
    ],
)
def test_each_step_casts_only_what_the_step_before_did_not(
    tmp_path: Path, dtype: str, sections: dict[str, Any], expected: TrainedTypes
) -> None:
    assert types(tmp_path, dtype, **sections) == expected
