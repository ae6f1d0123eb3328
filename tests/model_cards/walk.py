"""Walks a page of docs/model_cards: its commands, in their order, on a small model from a local hub.

The commands are read from the page. What is too large for a test is replaced by the substitutions of the
card's test, each of which must occur on the page; a shipped YAML keeps its name and is shrunk by `SMALL_RUN`.
What another tool would have written by then (MindFormers' output, another engine's answers) is in
`FROM_OTHERS`.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from flows.cli.main import command_line
from tests.paths import ROOT

__all__ = [
    "FROM_OTHERS",
    "FUNCTION",
    "PAGES",
    "PROBLEM",
    "SLOW",
    "SUBSTITUTIONS",
    "Card",
    "Walk",
    "commands_of",
]

PAGES = ROOT / "docs" / "model_cards"
SLOW = ("finetune", "pretrain", "run", "evaluate", "predict", "bench")
"""Commands that start ranks, a Prefect server or a generation; nothing else on a page needs their output."""

SUBSTITUTIONS = {
    "--benchmark humaneval": "--benchmark problems.jsonl",
    "--seq-length 2048": "--seq-length 256",
    "--seq-length 4096": "--seq-length 256",
    "https://raw.githubusercontent.com": "{data}",
    "download code-alpaca-20k": "download {data}/code_alpaca_20k.json",
    "[[2048,2048],[1024,1024],[512,512],[256,256]]": "[[16,4]]",
    "download wikitext-2": "download {data}/wikitext-2-v1.zip",
}
"""Text of the pages' commands to what stands for it here; {data} is the server of data sets."""

SMALL_RUN: dict[str, Any] = {
    "preprocess.seq_length": 256,
    "parallel.data_parallel": 1,
    "parallel.model_parallel": 2,
    "parallel.pipeline_stage": 1,
    "parallel.micro_batch_num": 1,
    "parallel.shard_optimizer": False,
    "launch.world_size": 2,
    "train.steps": 3,
    "train.batch_size": 2,
    "train.accumulate": 1,
    "train.warmup_steps": 1,
    "train.checkpoint_every": 3,
    "train.precision": "fp32",
}
"""What of a shipped YAML is replaced: its lengths, its layout (2 ranks) and its precision (this is a CPU)."""

PROBLEM = {
    "task_id": "T/0",
    "prompt": 'def add(a, b):\n    """Return the sum."""\n',
    "entry_point": "add",
    "test": "def check(add):\n    assert add(1, 2) == 3\n",
    "canonical_solution": "    return a + b\n",
}
FUNCTION = f"{PROBLEM['prompt']}{PROBLEM['canonical_solution']}"


@dataclass(frozen=True)
class Card:
    """One card: its name, which is the page's, and owner/name of what the page downloads from the hub."""

    name: str
    repository: str

    @property
    def page(self) -> Path:
        """The page."""
        return PAGES / f"{self.name}.md"


def commands_of(page: Path) -> list[str]:
    """Return the mindrail commands in a page's console blocks, those over several lines joined."""
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.S | re.M)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(" +", " ", line).strip() for line in lines if line.strip()]


@dataclass
class Walk:
    """A directory in which a page's commands run one after the other.

    Attributes:
        card: whose page it is.
        directory: the current directory, empty before.
        hub, data: addresses of the servers.
    """

    card: Card
    directory: Path
    hub: str
    data: str

    def __post_init__(self) -> None:
        (self.directory / "problems.jsonl").write_text(json.dumps(PROBLEM) + "\n")
        (self.directory / "configs").mkdir()
        for path in (ROOT / "configs").glob("*.yaml"):
            self._shrink(path)

    def run(self, *, slow: bool) -> dict[str, str]:
        """Run the page's commands, the slow ones only if asked to, and return what each printed.

        Each must succeed, and the answers that are scored are right.
        """
        printed: dict[str, str] = {}
        lines = [line for line in commands_of(self.card.page) if slow or line.split()[1] not in SLOW]
        for line in lines:
            command = self._substituted(line)
            for name, write in FROM_OTHERS.items():
                if name in command.split() and not (self.directory / name).exists():
                    write(self.directory, self.directory / name)
            printed[line] = _run(command)
        scores = [text for line, text in printed.items() if line.startswith("mindrail score ")]
        assert scores and all("pass@1   1.0000" in text for text in scores)
        return printed

    def _substituted(self, line: str) -> str:
        for shown, here in SUBSTITUTIONS.items():
            line = line.replace(shown, here.format(data=self.data))
        return line

    def _shrink(self, path: Path) -> None:
        run = yaml.safe_load(path.read_text())
        for name in ("epochs", "warmup_ratio"):
            run.get("train", {}).pop(name, None)
        generate = {"generate.benchmark": "problems.jsonl", "generate.max_new_tokens": 8}
        for key, value in {**SMALL_RUN, **generate, "download.endpoint": self.hub}.items():
            section, _, name = key.partition(".")
            if section in run:
                run[section][name] = value
        (self.directory / "configs" / path.name).write_text(yaml.safe_dump(run, sort_keys=False))


def _run(command: str) -> str:
    """Run a command and return what it printed: in this process, or a slow one in its own."""
    program, *arguments = shlex.split(command)
    assert program == "mindrail", command
    if arguments[0] in SLOW:
        started = [sys.executable, "-m", "flows.cli.main", *arguments]
        process = subprocess.run(started, capture_output=True, text=True)
        assert process.returncode == 0, f"{command}: {process.stderr}"
        return process.stdout
    done = CliRunner().invoke(command_line, arguments, catch_exceptions=False)
    assert done.exit_code == 0, f"{command}: {done.output}"
    return done.output


def _mindformers_output(here: Path, output: Path) -> None:
    """Write what MindFormers' training leaves: strategy files beside the ranks' checkpoints."""
    shards = here / "transformed_checkpoint"
    shutil.copytree(shards / "strategy", output / "strategy")
    for rank in shards.glob("rank_*"):
        shutil.copytree(rank, output / "checkpoint" / rank.name)


def _run_yaml(_: Path, run: Path) -> None:
    """Write the keys of MindFormers' YAML that the card shows."""
    parallel = {"data_parallel": 1, "model_parallel": 4, "pipeline_stage": 2, "optimizer_shard": True}
    contents = {
        "seed": 0,
        "output_dir": "./output",
        "auto_trans_ckpt": False,
        "run_mode": "finetune",
        "runner_config": {"epochs": 1, "batch_size": 1, "sink_mode": True, "sink_size": 2},
        "use_parallel": True,
        "parallel_config": parallel | {"micro_batch_num": 8, "vocab_emb_dp": True},
    }
    run.write_text(yaml.safe_dump(contents))


def _hosts(_: Path, hosts: Path) -> None:
    """Name one host with the devices of the small runs' two ranks."""
    hosts.write_text("10.0.0.1 192.168.0.1 192.168.0.2\n")


def _samples(_: Path, samples: Path) -> None:
    samples.write_text(json.dumps({"task_id": "T/0", "completion": FUNCTION}) + "\n")


def _answers(here: Path, answers: Path) -> None:
    """Answer the prompts as an instruction-tuned model would."""
    rows = map(json.loads, (here / "prompts.jsonl").read_text().splitlines())
    response = f"Here it is:\n```python\n{FUNCTION}```\n"
    answers.write_text("".join(json.dumps(row | {"response": response}) + "\n" for row in rows))


FROM_OTHERS: Mapping[str, Callable[[Path, Path], None]] = {
    "run_wizardcoder.yaml": _run_yaml,
    "hosts.txt": _hosts,
    "output": _mindformers_output,
    "samples.jsonl": _samples,
    "answers.jsonl": _answers,
}
"""Files and directories that a page's commands read and another tool writes."""
