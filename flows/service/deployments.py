"""Every deployment: each flow with an empty form, and each shipped YAML with its parameters filled in.

prefect.yaml at the top of the repository is printed from here (`make docs`). It has no schedules, because
`prefect deploy` would reset those that a person has switched. `mindrail deploy` creates them, switched off,
where there are none. Importing this does not import Prefect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from flows.kinds import KINDS
from modelcore.config.kinds import read_any
from modelcore.config.reading import read_yaml
from modelcore.config.runs import Evaluate, Pipeline, Predict, Pretrain, Run
from modelcore.demo.config import Demo

__all__ = ["ENVIRONMENT", "POOL", "SLUG", "Deployment", "deployments", "prefect_yaml"]

POOL = "mindrail"
SLUG = "nightly"

ENVIRONMENT = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
"""Of every run, whichever worker does it: without heartbeats for 90 s, `mindrail up` takes it for crashed."""

_CONFIGS = Path(__file__).parents[2] / "configs"
_PREFECT = "3.8.8"

_RUNS = (
    (
        "flows.demo.demo",
        "Train a small random llama to write short programs on this machine's CPU, and score it.",
    ),
    ("flows.pipeline.pipeline", "Run the whole pipeline, from a Hugging Face checkpoint to pass@k."),
    ("flows.finetune.finetune", "Fine-tune a Hugging Face checkpoint on instructions; nothing is scored."),
    ("flows.pretrain.pretrain", "Train on texts, from random weights or further from a checkpoint."),
    ("flows.predict.predict", "Divide a model among the ranks that will generate with it."),
)

_STEPS = (
    ("flows.steps.download", "Fetch a Hugging Face checkpoint into the store."),
    ("flows.steps.convert", "Convert a checkpoint between Hugging Face's files and MindSpore's."),
    ("flows.steps.inspect", "Describe a checkpoint, strategy, MindRecord, tokenizer or artifact."),
    ("flows.steps.tokenize", "Encode a text with a model's tokenizer."),
    ("flows.steps.preprocess", "Turn instructions or texts into MindRecord rows, with a report."),
    ("flows.steps.conversations", "Write Alpaca records as conversations."),
    ("flows.steps.data_report", "Show what preprocessing did to the records."),
    ("flows.steps.decode", "Show the first rows as text, masked and trained parts marked."),
    ("flows.steps.shard", "Write a whole checkpoint as one file per rank."),
    ("flows.steps.reshard", "Write a sharded checkpoint for another layout."),
    ("flows.steps.merge", "Join a sharded checkpoint into a whole one."),
    (
        "flows.model_steps.first_programs",
        "Generate the demo's training programs, benchmark and random model.",
    ),
    ("flows.model_steps.initialize", "Write a checkpoint with random weights."),
    ("flows.model_steps.launch", "Train shards on rows, with supervised ranks."),
    ("flows.model_steps.export", "Convert a whole MindSpore checkpoint to Hugging Face's files."),
    ("flows.model_steps.generate", "Ask a model every problem of a benchmark."),
    ("flows.predict_prompts.predict_prompts", "Let a model continue texts or fill in gaps."),
    ("flows.model_steps.extract", "Find the program in every answer."),
    ("flows.model_steps.score", "Execute completions, isolated, and count the problems solved."),
    ("flows.model_steps.layout", "Show what every rank of a run will hold and need, without a device."),
    ("flows.model_steps.verify", "Read every artifact of the store and compare it with its digests."),
)


@dataclass(frozen=True)
class _Flow:
    """The flow that does a kind of run, and when it would run if its schedule were switched on."""

    entrypoint: str
    name: str
    cron: str = ""


_FLOW_OF: Mapping[type[Run], _Flow] = {
    Demo: _Flow("flows.demo.demo_from_config", "demo-from-config", "0 3 * * *"),
    Pipeline: _Flow("flows.pipeline.pipeline", "pipeline", "0 4 * * *"),
    Pretrain: _Flow("flows.pretrain.pretrain", "pretrain", "0 4 * * *"),
    Evaluate: _Flow("flows.evaluate.evaluate", "evaluate", "0 5 * * *"),
    Predict: _Flow("flows.predict.predict", "predict"),
}


@dataclass(frozen=True)
class Deployment:
    """One deployment.

    Attributes:
        flow: the flow's name.
        name: its own; the server knows it as `flow/name`.
        entrypoint: module and function of the flow.
        description: shown on the dashboard.
        tags: to filter by.
        parameters: what the form is filled with.
        cron: the time of its schedule, UTC; "" if it has none.
    """

    flow: str
    name: str
    entrypoint: str
    description: str
    tags: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cron: str = ""

    @property
    def full_name(self) -> str:
        """Its name on the server."""
        return f"{self.flow}/{self.name}"


def deployments() -> list[Deployment]:
    """Return every deployment: runs, shipped YAMLs, steps."""
    return [
        *(_of_flow(entrypoint, description, ("mindrail",)) for entrypoint, description in _RUNS),
        *(_of_yaml(path) for path in sorted(_CONFIGS.glob("*.yaml"))),
        *(_of_flow(entrypoint, description, ("mindrail", "step")) for entrypoint, description in _STEPS),
    ]


def prefect_yaml() -> str:
    """Return the text of prefect.yaml."""
    plain = {
        "name": "mindrail",
        "prefect-version": _PREFECT,
        "pull": [{"prefect.deployments.steps.set_working_directory": {"directory": "{{ $MINDRAIL_HOME }}"}}],
        "deployments": [_plain(one) for one in deployments()],
    }
    return _HEAD + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)


_HEAD = """\
# Deployments: every flow, and every YAML of configs/ with its parameters filled in. Printed by `make docs`.
# Schedules are not here, or deploying again would reset them; `mindrail deploy` creates them, switched off.
#   mindrail deploy
#   prefect worker start --pool mindrail
"""


def _of_flow(entrypoint: str, description: str, tags: tuple[str, ...]) -> Deployment:
    name = entrypoint.rpartition(".")[2].replace("_", "-")
    return Deployment(name, name, entrypoint, description, tags)


def _of_yaml(path: Path) -> Deployment:
    """Return the deployment of a shipped YAML: of the flow that does such runs."""
    flow = _FLOW_OF[type(read_any(path, "name", command="deploy", kinds=KINDS))]
    return Deployment(
        flow.name,
        path.stem,
        flow.entrypoint,
        " ".join(_comment(path)),
        ("mindrail", "config"),
        {"config": read_yaml(path)},
        flow.cron,
    )


def _comment(path: Path) -> Iterator[str]:
    """Yield the lines of the comment that a YAML begins with."""
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            return
        yield line.removeprefix("#").strip()


def _plain(deployment: Deployment) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": deployment.name,
        "entrypoint": deployment.entrypoint,
        "description": deployment.description,
        "tags": list(deployment.tags),
        "work_pool": {"name": POOL, "job_variables": {"env": dict(ENVIRONMENT)}},
    }
    return plain | ({"parameters": dict(deployment.parameters)} if deployment.parameters else {})


if __name__ == "__main__":
    print(prefect_yaml(), end="")
