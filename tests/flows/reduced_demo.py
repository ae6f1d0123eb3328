"""How tests run the demo at a reduced size."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from flows.cli.main import command_line
from tests.paths import ROOT

REDUCED = (
    "first_programs.programs=240",
    "first_programs.problems=8",
    "first_programs.vocab_size=640",
    "first_programs.model={hidden_size: 32, intermediate_size: 64, num_layers: 2, num_heads: 2}",
    "preprocess.seq_length=160",
    "train.steps=12",
    "train.batch_size=4",
    "train.checkpoint_every=4",
    "train.warmup_steps=2",
    "generate.max_new_tokens=24",
)

PLANTED = "planted-5eb63bbb"
SECRETS = dict.fromkeys(
    ("HF_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SENDGRID_API_KEY", "OPENAI_API_KEY"), PLANTED
)
"""In the environment of a run; `test_secrets` looks for them in all that it leaves behind."""


@dataclass(frozen=True)
class Demo:
    """A finished run of the reduced demo: its store and what `--json` printed."""

    store: Path
    result: dict[str, Any]

    @property
    def digests(self) -> dict[str, str]:
        """The digest of every step's output, by the step's name."""
        return {step["name"]: step["digest"] for step in self.result["steps"]}

    def path(self, name: str) -> Path:
        """Return where a step's output lies."""
        return next(Path(step["path"]) for step in self.result["steps"] if step["name"] == name)

    def copy(self, store: Path) -> Demo:
        """Copy the store; the result then names the copy's files."""
        shutil.copytree(self.store, store)
        return Demo(store, json.loads(json.dumps(self.result).replace(str(self.store), str(store))))


def demo_arguments(store: Path | str, *changes: str) -> list[str]:
    sets = [part for change in (*REDUCED, *changes) for part in ("--set", change)]
    return ["demo", "--store", str(store), *sets]


def demo_command(store: Path | str, *changes: str) -> list[str]:
    return [sys.executable, "-m", "flows.cli.main", *demo_arguments(store, *changes), "--json"]


def rerun_demo(store: Path, *changes: str) -> Demo:
    """Run the demo in this process, which has imported already what a new one would have to."""
    done = CliRunner().invoke(
        command_line, [*demo_arguments(store, *changes), "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.stderr
    return Demo(store, json.loads(done.stdout))


def run_demo(store: Path, *changes: str, timeout: float = 500) -> Demo:
    """Run the demo as a person does, as a process of its own."""
    done = subprocess.run(
        demo_command(store, *changes),
        cwd=ROOT,
        env={**os.environ, **SECRETS},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return Demo(store, json.loads(done.stdout))
