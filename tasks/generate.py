"""Generate responses to every problem of a benchmark."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from modelcore.cluster.spread_job import GenerateJob, run_spread
from modelcore.config.evaluation import NEW_OPTIONS, Decoding, Generate
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.templates import template
from modelcore.generation.plan import GenerationPlan
from modelcore.generation.prompt_ids import count_cut
from modelcore.launching.device_environment import has_ascend
from modelcore.launching.gang import run_gang, run_program
from modelcore.progress import Progress
from modelcore.store.manifest import LOGS
from modelcore.store.store import Store
from tasks.endpoint import answer_by_endpoint, endpoint_of
from tasks.environment import exported, key_of_environment
from tasks.host_share import share_of_devices
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["RESPONSES", "generate", "run_plan"]

RESPONSES = "responses.jsonl"
"""The file of an artifact that holds what the model wrote."""

_VERSION = 2
_PROMPTS = "prompts.jsonl"
_PLAN = "plan.json"
_ENDPOINT = {"endpoint", "endpoint_model", "endpoint_chat", "endpoint_secret", "endpoint_timeout"}
_NO_PARAMETER = {"benchmark", "template", "batch_size", "environment", "environment_set"} | {
    "cluster",
    *_ENDPOINT,
}
_HANG_TIMEOUT = 1800.0  # seconds without a token; compiling a large network takes minutes


@step_task("generate", run_name="{label}", retries=2, delays=(5.0, 30.0))
def generate(store: Store, checkpoint: Step, config: Generate, seed: int, label: str = "generate") -> Outcome:
    """Write one response per problem and sample, from a whole MindSpore checkpoint or by an endpoint.

    A response depends on the text of its prompt and on the stops: a template that differs in its extractor
    alone does not generate again. Whether BOS goes before each prompt is the tokenizer's to say.

    Args:
        store: holds the artifacts.
        checkpoint: what generates.
        config: benchmark, template and decoding.
        seed: of sampled responses.
        label: the name to show.
    """
    benchmark = load_benchmark(config.benchmark)
    form = template(config.template_name)
    prompts = [{"task_id": problem.task_id, "prompt": form.prompt(problem)} for problem in benchmark.problems]

    asked = None if config.endpoint is None else endpoint_of(config)
    bos = asked is None and begins_with_bos(checkpoint.path)  # an endpoint's own tokenizer puts it there
    environment = exported(label, config.environment_set, config.environment, ascend=has_ascend())

    def build(directory: Path, progress: Progress) -> None:
        (directory / _PROMPTS).write_text("".join(json.dumps(row) + "\n" for row in prompts))
        if asked is not None:
            output = directory / RESPONSES
            answer_by_endpoint(asked, config, prompts, output, stops=form.stops, seed=seed, progress=progress)
            return
        plan = _plan(directory, checkpoint, config, seed, form.stops, bos=bos)
        if config.cluster is not None:
            logs = directory / LOGS
            logs.mkdir(exist_ok=True)
            (logs / _PLAN).write_text(plan.model_dump_json(indent=1))
            job = GenerateJob(plan=str(logs / _PLAN), environment=dict(environment), cluster=config.cluster)
            run_spread("generate", job, logs, progress)
            return
        run_plan(directory, plan, environment, progress)

    return build_step(
        store,
        "generate",
        build,
        version=_VERSION,
        inputs={"checkpoint": checkpoint.digest, "benchmark": benchmark.digest},
        parameters={
            "prompts": hashlib.sha256(json.dumps([prompts, form.stops]).encode()).hexdigest(),
            **config.model_dump(exclude=_NO_PARAMETER | set(NEW_OPTIONS) | _exact(config)),
            **_in_effect(config, checkpoint.path, [row["prompt"] for row in prompts], bos).changed_options(),
            **key_of_environment(environment),
            "seed": seed,
            **({} if asked is None else {"endpoint": asdict(asked)}),
            **({"bos": True} if bos else {}),  # absent without BOS, as in keys from before it was sent
        },
        recorded={"environment": environment},
        label=label,
    )


def _in_effect(config: Generate, checkpoint: Path, texts: Sequence[str], bos: bool) -> Generate:
    """Return the options without `long_prompts: cut` where every prompt fits: the answers are the same."""
    if config.long_prompts == "refuse":
        return config
    if config.endpoint is None and count_cut(checkpoint, texts, config, bos=bos):
        return config
    return config.model_copy(update={"long_prompts": "refuse"})


def _exact(config: Generate) -> set[str]:
    """Return the keys that do not change the answers: the weights' type, unless it rounds them here."""
    return set() if config.rounds_weights and config.endpoint is None else {"precision"}


def _plan(
    directory: Path, checkpoint: Step, config: Generate, seed: int, stops: tuple[str, ...], *, bos: bool
) -> GenerationPlan:
    return GenerationPlan(
        checkpoint=str(checkpoint.path),
        prompts=str(directory / _PROMPTS),
        output=str(directory / RESPONSES),
        stops=list(stops),
        seed=seed,
        bos=bos,
        **config.model_dump(include=set(Decoding.model_fields)),
    )


def run_plan(
    directory: Path, plan: GenerationPlan, environment: Mapping[str, str], progress: Progress
) -> None:
    """Let processes of their own, one for each rank, generate what a plan says.

    Their logs are in `directory`/logs.
    """
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    (logs / _PLAN).write_text(plan.model_dump_json(indent=1))
    command = [sys.executable, "-m", "modelcore.generation.program", str(logs / _PLAN)]
    with share_of_devices("generate", plan.model_parallel) as devices:
        if plan.model_parallel == 1:
            run_program(
                command,
                log_dir=logs,
                environment={**devices, **environment},
                hang_timeout=_HANG_TIMEOUT,
                progress=progress,
            )
        else:
            run_gang(
                command,
                world_size=plan.model_parallel,
                log_dir=logs,
                environment={**devices, **environment},
                hang_timeout=_HANG_TIMEOUT,
                progress=progress,
            )
