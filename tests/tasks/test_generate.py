"""The key of generated answers holds what they depend on, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.config.evaluation import Generate
from tasks.generate import _in_effect
from tests.local_runs import CONTEXT, write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize(("length", "key"), [(8, {}), (CONTEXT, {"long_prompts": "cut"})])
def test_that_prompts_may_be_cut_is_in_the_key_only_where_one_is(
    length: int, key: dict[str, object], model: Path
) -> None:
    config = Generate(benchmark="humaneval", max_new_tokens=4, long_prompts="cut")
    assert _in_effect(config, model, ["def add(a, b):", "x" * length], False).changed_options() == key
