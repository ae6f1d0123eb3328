"""What the data's checks say of rows that can be written but differ from what the model will be asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tasks.preflight import preflight
from tests.local_runs import Runs


def test_rows_that_begin_with_bos_and_prompts_that_do_not_are_a_note(runs: Runs) -> None:
    (note,) = preflight(runs.read("finetune", "preprocess.format=llama"))
    assert note == (
        "llama rows begin with <s>, but prompts of this model do not: its tokenizer files add no BOS "
        "(add_bos_token of tokenizer_config.json)"
    )


def test_rows_and_prompts_that_begin_alike_are_none(runs: Runs) -> None:
    model = Path(shutil.copytree(runs.model, runs.directory / "copy"))
    config = model / "tokenizer_config.json"
    known = json.loads(config.read_text()) if config.is_file() else {}
    config.write_text(json.dumps(known | {"add_bos_token": True}))
    source = f"download.source={model.as_uri()}"
    assert preflight(runs.read("finetune", source, "preprocess.format=llama")) == ()
    assert preflight(runs.read("pipeline", source)) == ()
