"""The commands of README and docs run: page by page, in their order, in a directory of small inputs.

The pages of docs/model_cards have walks of their own in tests/model_cards. Commands that train, generate,
fetch, or need a server or a cluster are not run here but only parsed, by tests/test_docs.py; the walks run
some of them.
"""

from __future__ import annotations

import gzip
import json
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from flows.cli.main import command_line
from modelcore.checkpoints.convert import convert_checkpoint
from tests.model_cards.small import as_torch, write_published
from tests.model_cards.walk import FROM_OTHERS, FUNCTION, PROBLEM, commands_of
from tests.paths import ROOT
from tests.test_docs import HOW_TO, README, blocks_of

RUN = {
    *("config", "environment", "models", "plan", "layout", "init", "import-config", "results", "runs"),
    *("preprocess", "data", "tokenize", "convert", "inspect", "shard", "reshard", "merge"),
    *("prompts", "score", "launch", "ranktable", "store"),
}
"""Commands that are run here. The others train, generate, fetch, or need a server or a cluster."""

ONLY_PARSED = {
    **dict.fromkeys(("store show", "store lineage", "store path", "store export"), "names an artifact"),
    "ranktable create": "reads an Ascend machine's files",
    "plan evaluate.yaml": "names a trained checkpoint",
}
"""Of those, what is not run, and why."""

ENGLISH = (page for page in (ROOT / "docs").glob("*.md") if not page.stem.endswith(".zh"))
PAGES = [README, *sorted(ENGLISH), *HOW_TO]
SMALLER = {
    "--benchmark humaneval": "--benchmark problems.jsonl",
    "mindrail plan finetune.yaml": "mindrail plan finetune.yaml --elsewhere",
    "mindrail plan finetune.yaml --elsewhere --elsewhere": "mindrail plan finetune.yaml --elsewhere",
    " --k 1,10": "",
    "--offset 1,-1": "--offset 0,0",
    "--device-memory 64GB": "--device-memory 4000GB",
    "/shared/": "",
}
"""Text of a command to what stands for it here."""
RECORDS = [
    {"instruction": f"Add {n} to a number.", "input": "", "output": f"def f(x):\n    return x + {n}"}
    for n in range(6)
]


def is_run(line: str) -> bool:
    program, command, *rest = line.split()
    return program == "mindrail" and command in RUN and f"{command} {' '.join(rest[:1])}" not in ONLY_PARSED


def lines_of(page: Path) -> list[str]:
    return [line for line in commands_of(page) if is_run(line)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages' commands read: a small checkpoint in three forms, records, answers."""
    here = tmp_path_factory.mktemp("inputs")
    checkpoint = write_published("codellama/CodeLlama-34b-hf", here / "checkpoint")
    convert_checkpoint(checkpoint, here / "mindspore", to="mindspore")
    (here / "data").mkdir()
    for name in ("alpaca.json", "data/my_instructions.json", "data/rows.json", "my_instructions.json"):
        (here / name).write_text(json.dumps(RECORDS))
    for name in ("deepseek", "model"):
        (here / name).symlink_to(here / ("checkpoint" if name == "deepseek" else "mindspore"))
    (here / "problems.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    answer = json.dumps({"task_id": "T/0", "response": f"```python\n{FUNCTION}```"}) + "\n"
    (here / "responses.jsonl").write_text(answer)
    return here


def _gzipped(here: Path, path: Path) -> None:
    path.write_bytes(gzip.compress((here / "alpaca.json").read_bytes()))


def _torch(here: Path, path: Path) -> None:
    """Write the same checkpoint as a pytorch_model.bin."""
    shutil.copytree(here / "checkpoint", path)
    as_torch(path)


def _mindformers_output(here: Path, path: Path) -> None:
    """Write what MindFormers' training leaves: strategy files beside the ranks' checkpoints."""
    shards = here / "shards"
    shutil.copytree(shards / "strategy", path / "strategy")
    for rank in shards.glob("rank_*"):
        shutil.copytree(rank, path / "checkpoint" / rank.name)


def _rank_table(_: Path, path: Path) -> None:
    """Write one host's table of eight devices; its address is in its name."""
    address = path.stem.rpartition("_")[2]
    last = address.rpartition(".")[2]
    devices = [
        {"device_id": str(n), "device_ip": f"192.168.{last}.{n + 1}", "rank_id": str(n)} for n in range(8)
    ]
    server = {"server_id": address, "device": devices, "host_nic_ip": "reserve"}
    table = {"version": "1.0", "server_count": "1", "server_list": [server], "status": "completed"}
    path.write_text(json.dumps(table))


def _run_yaml(_: Path, path: Path) -> None:
    parallel = {"data_parallel": 2, "model_parallel": 4, "pipeline_stage": 1}
    training = {"runner_config": {"epochs": 1, "batch_size": 1}, "parallel_config": parallel}
    path.write_text(yaml.safe_dump({"seed": 0, **training}))


WRITTEN_BY_OTHERS: Mapping[str, Callable[[Path, Path], None]] = {
    "alpaca.json.gz": _gzipped,
    "pytorch_checkpoint": _torch,
    "output": _mindformers_output,
    "answers.jsonl": FROM_OTHERS["answers.jsonl"],
    "samples.jsonl": FROM_OTHERS["samples.jsonl"],
    "hccl_8p_01234567_10.0.0.1.json": _rank_table,
    "hccl_8p_01234567_10.0.0.2.json": _rank_table,
    "run_deepseek.yaml": _run_yaml,
}
"""What some commands read, written when a page names it."""


@pytest.mark.parametrize("page", [page for page in PAGES if lines_of(page)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_run_in_its_order(
    page: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    shutil.copytree(inputs, here)
    (here / "configs").symlink_to(ROOT / "configs")
    for block in blocks_of(page, "yaml"):
        name, _, text = block.partition("\n")
        (here / name.removeprefix("# ")).write_text(text.replace("/shared/", ""))
    monkeypatch.chdir(here)
    for line in lines_of(page):
        run(line, here)


def run(line: str, here: Path) -> None:
    """Run a command; what it writes may have been written by one before."""
    for shown, small in SMALLER.items():
        line = line.replace(shown, small)
    words = shlex.split(line)[1:]
    for word in words:
        if word in WRITTEN_BY_OTHERS and not (here / word).exists():
            WRITTEN_BY_OTHERS[word](here, here / word)
    for path in destinations(words):
        for old in here.glob(f"{Path(path).stem}*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    done = CliRunner().invoke(command_line, words, catch_exceptions=False)
    assert done.exit_code == 0, f"{line}: {done.output}"


def destinations(words: list[str]) -> list[str]:
    """Return what a command will write."""
    command: Any = command_line
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    if command.name == "inspect":
        return []
    values = command.make_context("mindrail", list(words)).params
    named = [values.get(name) for name in ("destination", "output", "file")]
    return [str(value) for value in named if value]


def test_what_is_only_parsed_is_shown_somewhere() -> None:
    shown = [line.removeprefix("mindrail ") for page in PAGES for line in commands_of(page)]
    assert [name for name in ONLY_PARSED if not any(line.startswith(name) for line in shown)] == []
