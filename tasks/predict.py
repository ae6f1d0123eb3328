"""Let a model continue texts or fill in gaps: one JSON line for each, prompt and completion apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelcore.config.evaluation import Decoding, Prediction
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.generation.plan import GenerationPlan, Prompt
from modelcore.progress import Progress
from modelcore.store.durable import replace_contents
from modelcore.store.store import Store
from tasks.generate import RESPONSES, run_plan
from tasks.predicted_prompts import prompts_of
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["PREDICTIONS", "predict"]

PREDICTIONS = "predictions.jsonl"
"""The file of an artifact that holds what the model was asked and what it answered."""

_VERSION = 1
_PROMPTS = "prompts.jsonl"
_OF_NO_WEIGHT = {"prompts", "prompts_file", "prefix", "suffix", "batch_size", "stops", "seed"}


@step_task("predict")
def predict(store: Store, checkpoint: Step, config: Prediction) -> Outcome:
    """Write one prediction per prompt and sample, from a whole MindSpore checkpoint.

    Args:
        store: holds the artifacts. What a killed step had answered is not generated again.
        checkpoint: what generates.
        config: the prompts, and how answers are generated.
    """
    asked = [_row(prompt) for prompt in prompts_of(config)]
    bos = begins_with_bos(checkpoint.path)

    def build(directory: Path, progress: Progress) -> None:
        (directory / _PROMPTS).write_text("".join(json.dumps(row) + "\n" for row in asked))
        plan = GenerationPlan(
            checkpoint=str(checkpoint.path),
            prompts=str(directory / _PROMPTS),
            output=str(directory / RESPONSES),
            details=True,
            stops=config.stops,
            seed=config.seed,
            bos=bos,
            **config.model_dump(include=set(Decoding.model_fields)),
        )
        run_plan(directory, plan, {}, progress)
        _join(directory, asked)

    return build_step(
        store,
        "predict",
        build,
        version=_VERSION,
        inputs={"checkpoint": checkpoint.digest},
        parameters={
            "prompts": asked,
            "stops": config.stops,
            "seed": config.seed,
            "bos": bos,
            **config.model_dump(exclude=_OF_NO_WEIGHT | _defaults(config)),
        },
    )


def _defaults(config: Prediction) -> set[str]:
    """Return options that do not change the answers, or that are newer than the keys and not used."""
    exact = set() if config.rounds_weights else {"precision"}
    return exact | ({"model_parallel"} if config.model_parallel == 1 else set())


def _row(prompt: Prompt) -> dict[str, str]:
    if prompt.suffix is None:
        return {"task_id": prompt.task_id, "prompt": prompt.text}
    return {"task_id": prompt.task_id, "prefix": prompt.text, "suffix": prompt.suffix}


def _join(directory: Path, asked: list[dict[str, str]]) -> None:
    """Write the predictions: each prompt's row with what was answered."""
    prompts: Mapping[str, dict[str, str]] = {row["task_id"]: row for row in asked}
    lines = []
    for line in (directory / RESPONSES).read_text(encoding="utf-8").splitlines():
        answer: dict[str, Any] = json.loads(line)
        completion = answer.pop("response")
        row = prompts[answer["task_id"]] | {"completion": completion} | answer
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    replace_contents(directory / PREDICTIONS, "".join(lines).encode("utf-8", "surrogatepass"))
