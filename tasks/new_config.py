"""The YAML of a fine-tuning run for a model, data and devices that a person names. No Prefect here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from modelcore.config.data import InstructionFormat
from modelcore.config.keys import every_key
from modelcore.config.reading import parse
from modelcore.config.runs import Finetune, Pipeline, Run, Training
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from modelcore.models.model import Model
from modelcore.models.shipped import shipped_models, shipped_name
from modelcore.units import parse_bytes
from tasks.layout import described_source, dry_run_of

__all__ = ["Answers", "new_config", "row_format"]

_LONGEST_ROWS = 2048
_BATCH = 4
_ROWS = "wizardcoder"
_ROWS_OF_CARDS = {"codellama": "llama", "deepseek": "deepseek", "qwen": "chatml"}
"""The rows that the model cards tune base models on, by how the models' names begin."""


@dataclass(frozen=True)
class Answers:
    """What a person says.

    Attributes:
        model: a name of `mindrail models`, an address, or a directory on this machine.
        data: the file of instructions.
        format: the row format.
        devices: number of ranks.
        device_memory: of each, as in `launch.device_memory`; "" if it is not known.
        benchmark: to score on before and after; "" for a run that only trains.
        steps: optimizer steps.
    """

    model: str
    data: str
    format: str
    devices: int = 1
    device_memory: str = ""
    benchmark: str = ""
    steps: int = 1000


def row_format(model: str) -> str:
    """Return the row format that suits a model: that of its prompts, or that of its model card's rows."""
    name = shipped_name(model)
    template = "" if name is None else shipped_models()[name].template
    near = {"deepseek-instruct": "deepseek", "qwen-instruct": "chatml"}.get(template, template)
    if near in get_args(InstructionFormat):
        return near
    return next((rows for family, rows in _ROWS_OF_CARDS.items() if (name or "").startswith(family)), _ROWS)


def new_config(answers: Answers) -> str:
    """Return a commented YAML that `plan` accepts, if the data is there.

    Raises:
        MindrailError: the model is not known, or does not fit the devices in any layout.
    """
    schema: type[Training] = Pipeline if answers.benchmark else Finetune
    plain = _plain(answers)
    run = parse(plain, schema)
    with described_source(run) as directory:
        model = read_model(directory)
    plain["preprocess"]["seq_length"] = min(_LONGEST_ROWS, model.config.max_positions)
    plain["parallel"] = _layout(parse(plain, schema), model, answers)
    parse(plain, schema)
    return _with_comments(plain, schema)


def _plain(answers: Answers) -> dict[str, Any]:
    source = answers.model
    if "://" not in source and Path(source).is_dir():
        source = Path(source).absolute().as_uri()
    plain: dict[str, Any] = {
        "name": "tuned",
        "download": {"source": source},
        "preprocess": {"input": answers.data, "format": answers.format, "seq_length": 16},
        "parallel": {"data_parallel": answers.devices},
        "train": {
            "steps": answers.steps,
            "batch_size": _BATCH,
            "learning_rate": 2e-05,
            "warmup_steps": answers.steps // 20,
            "precision": "bf16",
        },
    }
    if answers.device_memory:
        plain["launch"] = {"device_memory": answers.device_memory}
    if answers.benchmark:
        plain["generate"] = {"benchmark": answers.benchmark}
    return plain


def _layout(run: Training, model: Model, answers: Answers) -> dict[str, Any]:
    """Return the layout with the most replicas that fits, with recomputing if none fits without."""
    capacity = parse_bytes(answers.device_memory) if answers.device_memory else None
    reason = ""
    for recompute in (False, True):
        for parallel in _layouts(answers.devices, recompute=recompute):
            changed = parse({**run.model_dump(mode="json"), "parallel": parallel}, type(run))
            try:
                ranks = dry_run_of(changed, model).ranks
            except MindrailError as error:  # heads or layers that do not divide
                reason = f" ({error})"
                continue
            if capacity is None or max(rank.memory.total for rank in ranks) <= capacity:
                return parallel
    raise MindrailError(
        f"no layout of {answers.devices} ranks fits {answers.device_memory or 'the model'}{reason}",
        where="--devices",
        fix="give more devices",
    )


def _layouts(devices: int, *, recompute: bool) -> Iterator[dict[str, Any]]:
    """Yield layouts, the least divided model first; tensor parallel before stages."""
    divided = [(m, p) for m in range(1, devices + 1) for p in range(1, devices + 1) if devices % (m * p) == 0]
    for tensor, stages in sorted(divided, key=lambda one: (one[0] * one[1], one[1])):
        parallel: dict[str, Any] = {
            "data_parallel": devices // (tensor * stages),
            "model_parallel": tensor,
            "pipeline_stage": stages,
        }
        if stages > 1:
            parallel["micro_batch_num"] = stages
        yield {**parallel, "recompute": True} if recompute else parallel


def _with_comments(plain: dict[str, Any], schema: type[Run]) -> str:
    meaning = {name: key.description for name, key in every_key(schema)}
    command, kind = ("run", "pipeline") if schema is Pipeline else ("finetune", "finetune")
    lines = [f"# Plan: mindrail plan FILE; do it: mindrail {command} FILE; all keys: mindrail config {kind}"]
    for key, value in plain.items():
        if not isinstance(value, dict):
            lines.append(_line(key, value, meaning[key], 0))
            continue
        lines.append(f"{key}:")
        lines += [_line(name, one, meaning[f"{key}.{name}"], 2) for name, one in value.items()]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any, comment: str, indent: int) -> str:
    written = f"{' ' * indent}{key}: {json.dumps(value, ensure_ascii=False)}"
    return f"{written:<44} # {comment}"
