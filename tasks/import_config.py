"""MindFormers' YAML of a training as one of ours, and what of it could not be carried over, with reasons.

Which key is which is in `modelcore.config.mindformers`; here are the values. No Prefect here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcore.config.mindformers import MINDFORMERS, Counterpart
from modelcore.config.reading import parse, read_yaml
from modelcore.config.runs import Finetune
from modelcore.errors import MindrailError, one_line
from modelcore.models.shipped import model_names
from tasks.new_config import row_format

__all__ = ["Imported", "Left", "import_config"]

_PRECISION = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_UNSET: tuple[Any, ...] = ("", None, [])
_OF_A_TRAINING = {"download", "convert", "preprocess", "parallel", "launch", "train", "seed"}
_FOLLOWS = {
    "launch.world_size": "the number of ranks follows from the layout",
    "train.resume_from": "a run resumes where it was without it",
    "train.checkpoint_every": "in seconds there, in steps here",
}


@dataclass(frozen=True)
class Left:
    """A key of MindFormers' that was not carried over, its value, and why."""

    key: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Imported:
    """The YAML, as text with the key that each line comes from, and what is not in it."""

    text: str
    left: tuple[Left, ...]


@dataclass(frozen=True)
class _Carried:
    value: Any
    origin: str


def import_config(path: Path, *, model: str = "", data: str = "", format: str = "") -> Imported:
    """Return a `finetune` configuration with the values of a run_*.yaml.

    Args:
        path: MindFormers' YAML.
        model: the source of the model, where the YAML names none that is known.
        data: instructions or MindRecord rows, where the YAML names none.
        format: the row format; the model's own if empty.

    Raises:
        MindrailError: it cannot be read, names no model or no data, or the values do not go together.
    """
    raw = read_yaml(path)
    carried: dict[str, _Carried] = {}
    left: list[Left] = []
    for key, value in _leaves("", raw):
        reason = _carry(key, value, raw, carried)
        if reason:
            left.append(Left(key, value, reason))
    _complete(carried, raw, model=model, data=data, format=format, path=path)
    _drop_what_does_not_apply(carried, left)
    parse(_nested(carried), Finetune, where=path)
    return Imported(_text(path, carried), tuple(left))


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value; items of a list lie under the list's name, as in MINDFORMERS."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), inner)
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for one in value:
            yield from _leaves(prefix, one)
    else:
        yield prefix, value


def _carry(key: str, value: Any, raw: Mapping[str, Any], carried: dict[str, _Carried]) -> str:
    """Put a value where it belongs; return why it is not carried over, "" if it is or is not set."""
    meaning = _meaning(key)
    if value in _UNSET or key.startswith(("train_dataset_task.", "eval_dataset")):
        return ""
    if meaning is None:
        return "not a key that is known of MindFormers"
    if not meaning.key:
        return meaning.note
    if meaning.key.partition(".")[0] not in _OF_A_TRAINING:
        return f"here it is {meaning.key}, which is no part of a training"
    if meaning.key in _FOLLOWS and key != "callbacks.save_checkpoint_steps":
        return _FOLLOWS[meaning.key]
    try:
        converted = _converted(key, meaning.key, value, raw)
    except (KeyError, TypeError, ValueError, ArithmeticError, OSError):
        return f"{value!r} has no counterpart; here it is {meaning.key}"
    if converted is None:
        return meaning.note or f"here it is {meaning.key}"
    known = carried.get(meaning.key)
    if known is not None and known.value != converted:
        return f"{meaning.key} is {known.value!r} by {known.origin} already"
    carried.setdefault(meaning.key, _Carried(converted, key))
    return ""


def _meaning(key: str) -> Counterpart | None:
    """Return what a key means, or else the section that it lies in, if that has no counterpart here."""
    found = MINDFORMERS.get(key)
    section = key
    while found is None and "." in section:
        section = section.rpartition(".")[0]
        around = MINDFORMERS.get(section)
        found = around if around is not None and not around.key else None
    return found


def _converted(key: str, target: str, value: Any, raw: Mapping[str, Any]) -> Any:
    """Return a value in our words; None if this value needs no key here."""
    if target == "train.precision":
        return _PRECISION[value]
    if target == "convert.dtype":
        return None
    if target == "train.final_rate":
        return value / raw["lr_schedule"]["learning_rate"]
    if target == "parallel.offset":
        return None if value == 0 else value
    if key in ("runner_wrapper.use_clip_grad", "eval_step_interval", "eval_epoch_interval"):
        return None
    if key == "train_dataset.repeat":
        return None
    if target == "download.source":
        return Path(value).absolute().as_uri() if Path(value).is_dir() else None
    return value


def _complete(
    carried: dict[str, _Carried], raw: Mapping[str, Any], *, model: str, data: str, format: str, path: Path
) -> None:
    """Add the model and the data, which MindFormers' YAML often leaves to the command line."""
    trainer = raw.get("trainer")
    named = str(trainer.get("model_name", "") if isinstance(trainer, Mapping) else "").replace("_", "-")
    source = model or (named if named in model_names() else "")
    if source:
        carried["download.source"] = _Carried(source, "--model" if model else "trainer.model_name")
    if "download.source" not in carried:
        raise MindrailError("names no model that is known", where=path, fix="give its source with --model")
    if data:
        rows = "preprocess.rows" if data.endswith(".mindrecord") else "preprocess.input"
        carried.pop("preprocess.rows", None)
        carried[rows] = _Carried(data, "--data")
    if not carried.keys() & {"preprocess.rows", "preprocess.input"}:
        raise MindrailError("names no data", where=path, fix="give it with --data")
    chosen = format or row_format(carried["download.source"].value)
    carried["preprocess.format"] = _Carried(chosen, "--format" if format else "the model's own")


def _drop_what_does_not_apply(carried: dict[str, _Carried], left: list[Left]) -> None:
    def drop(key: str, reason: str) -> None:
        if key in carried:
            one = carried.pop(key)
            left.append(Left(one.origin, one.value, reason))

    if carried.get("parallel.pipeline_stage", _Carried(1, "")).value == 1:
        drop("parallel.micro_batch_num", "it divides a step among stages, and there is one")
    else:
        drop("train.accumulate", "with several stages it is parallel.micro_batch_num")
    if "preprocess.rows" not in carried:
        drop("preprocess.pad_id", "rows are padded with the token that the model's files name")
    if "train.warmup_ratio" in carried:
        drop("train.warmup_steps", "train.warmup_ratio is given, too")


def _nested(carried: Mapping[str, _Carried]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, one in carried.items():
        section, _, name = key.rpartition(".")
        (plain.setdefault(section, {}) if section else plain)[name] = one.value
    return plain


def _text(path: Path, carried: Mapping[str, _Carried]) -> str:
    lines = [f"# From {one_line(path.name)} of MindFormers; behind each value, the key that it was there."]
    lines.append(f"name: {json.dumps(path.stem)}")
    sections = dict.fromkeys(key.rpartition(".")[0] for key in sorted(carried))
    for section in sections:
        inside = {key: one for key, one in carried.items() if key.rpartition(".")[0] == section}
        if section:
            lines.append(f"{section}:")
        for key, one in inside.items():
            written = f"{'  ' if section else ''}{key.rpartition('.')[2]}: {json.dumps(one.value)}"
            lines.append(f"{written:<40} # {one.origin}")
    return "\n".join(lines) + "\n"
