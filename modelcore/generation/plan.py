"""What a generation job is asked for: the JSON plan, and the prompts it names. No MindSpore here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from pydantic import Field

from modelcore.boundary.files import read_file
from modelcore.boundary.json_text import BadJson, parse_json
from modelcore.config.evaluation import Decoding
from modelcore.config.reading import parse
from modelcore.config.section import NonNegativeInt
from modelcore.errors import MindrailError

__all__ = ["GenerationPlan", "Prompt", "read_plan", "read_prompts"]

_LARGEST_PLAN = 4 << 20
_LARGEST_PROMPTS = 64 << 20
"""Bytes; HumanEval's prompts have 80,000."""


class GenerationPlan(Decoding):
    """One job: how answers are generated (`Decoding`, the configuration's), from what, and where they go.

    Attributes:
        checkpoint: a MindSpore directory: config.json, tokenizer files, and model.ckpt or .safetensors or
            the shards of any layout with their strategies.
        prompts: JSON lines {"task_id", "prompt"}, where the prompt is what the model reads, unchanged; or
            {"task_id", "prefix", "suffix"}, where the text between the two is generated.
        output: JSON lines {"task_id", "sample", "response", "finish"} in the order of prompts and samples.
        details: add "tokens" and "seconds" to each line.
        stops: texts before which a response ends (finish "stop").
        seed: of the sampling.
        bos: put the beginning-of-sequence token before each prompt that does not begin with it.
    """

    checkpoint: str
    prompts: str
    output: str
    details: bool = False
    stops: list[str] = Field(default_factory=list)
    seed: NonNegativeInt
    bos: bool = False

    def fingerprint(self) -> str:
        """Return a sha256 of what the responses depend on; of the weights only names and sizes are read."""
        exact = set() if self.rounds_weights else {"precision"}
        kept = self.model_dump(exclude={"checkpoint", "prompts", "output", "batch_size", "details", *exact})
        sha = hashlib.sha256(json.dumps(kept, sort_keys=True).encode())
        sha.update(Path(self.prompts).read_bytes())
        for path in sorted(Path(self.checkpoint).iterdir()):
            sha.update(f"{path.name}:{path.stat().st_size};".encode())
        return sha.hexdigest()


@dataclass(frozen=True)
class Prompt:
    """A text to continue, and the name of the problem it states.

    Attributes:
        task_id: the name.
        text: what the model reads; what comes before the gap, if there is a suffix.
        suffix: what comes after the gap that the model fills in; None if there is none.
    """

    task_id: str
    text: str
    suffix: str | None = None


def read_plan(path: Path) -> GenerationPlan:
    """Read a plan.

    Raises:
        MindrailError: it cannot be read, or a key is unknown, missing or wrong.
    """
    try:
        raw = parse_json(read_file(path, _LARGEST_PLAN))
    except BadJson as error:
        raise MindrailError(f"not JSON ({error})", where=path) from error
    return parse(raw, GenerationPlan, where=path)


def read_prompts(path: Path, *, named: bool = True) -> list[Prompt]:
    """Read the prompts.

    Args:
        path: JSON lines, as of `GenerationPlan.prompts`.
        named: whether every line must have a task_id; otherwise the line's number is its default.

    Raises:
        MindrailError: a line is not one, or a task_id comes twice.
    """
    lines = read_file(path, _LARGEST_PROMPTS).rstrip(b"\n")
    prompts: dict[str, Prompt] = {}
    for number, line in enumerate(BytesIO(lines), 1):
        prompt = _prompt(line, f"{path}:{number}", None if named else str(number))
        if prompt.task_id in prompts:
            raise MindrailError(f"task_id {prompt.task_id!r} comes twice", where=f"{path}:{number}")
        prompts[prompt.task_id] = prompt
    if not prompts:
        raise MindrailError("holds no prompts", where=path)
    return list(prompts.values())


def _prompt(line: bytes, where: str, name: str | None) -> Prompt:
    try:
        row: Any = parse_json(line)
    except BadJson as error:
        raise MindrailError(f"not JSON ({error})", where=where) from error
    if isinstance(row, dict) and name is not None:
        row = {"task_id": name} | row
    if _are_texts(row, ("task_id", "prefix", "suffix")):
        return Prompt(row["task_id"], row["prefix"], row["suffix"])
    if not _are_texts(row, ("task_id", "prompt")):
        fields = "task_id and prompt" if name is None else "prompt, or prefix and suffix"
        raise MindrailError(f"not an object with the texts {fields}", where=where)
    return Prompt(row["task_id"], row["prompt"])


def _are_texts(row: object, keys: tuple[str, ...]) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(key), str) for key in keys)
