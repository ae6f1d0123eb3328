"""What a generation job is asked for: the JSON plan, and the prompts it names. No MindSpore here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from modelcore.config.evaluation import Decoding
from modelcore.config.reading import parse
from modelcore.config.section import NonNegativeInt
from modelcore.errors import MindrailError

__all__ = ["GenerationPlan", "Prompt", "read_plan", "read_prompts"]


class GenerationPlan(Decoding):
    """One job: how answers are generated (`Decoding`, the configuration's), from what, and where they go.

    Attributes:
        checkpoint: a whole MindSpore directory: config.json, model.ckpt or .safetensors, tokenizer files.
        prompts: JSON lines {"task_id", "prompt"}; the prompt is what the model reads, unchanged.
        output: JSON lines {"task_id", "sample", "response", "finish"} in the order of prompts and samples.
        stops: texts before which a response ends (finish "stop").
        seed: of the sampling.
        bos: put the beginning-of-sequence token before each prompt that does not begin with it.
    """

    checkpoint: str
    prompts: str
    output: str
    stops: list[str] = Field(default_factory=list)
    seed: NonNegativeInt
    bos: bool = False

    def fingerprint(self) -> str:
        """Return a sha256 of what the responses depend on; of the weights only names and sizes are read."""
        exact = set() if self.rounds_weights else {"precision"}
        kept = self.model_dump(exclude={"checkpoint", "prompts", "output", *exact})
        sha = hashlib.sha256(json.dumps(kept, sort_keys=True).encode())
        sha.update(Path(self.prompts).read_bytes())
        for path in sorted(Path(self.checkpoint).iterdir()):
            sha.update(f"{path.name}:{path.stat().st_size};".encode())
        return sha.hexdigest()


@dataclass(frozen=True)
class Prompt:
    """A text to go on from, and the name of the problem it states."""

    task_id: str
    text: str


def read_plan(path: Path) -> GenerationPlan:
    """Read a plan.

    Raises:
        MindrailError: it cannot be read, or a key is unknown, missing or wrong.
    """
    try:
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise MindrailError(f"cannot be read: {error}", where=path) from error
    return parse(raw, GenerationPlan, where=path)


def read_prompts(path: Path) -> list[Prompt]:
    """Read the prompts.

    Raises:
        MindrailError: a line is not one, or a task_id comes twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise MindrailError(f"cannot be read: {error}", where=path) from error
    prompts: dict[str, Prompt] = {}
    for number, line in enumerate(lines, 1):
        prompt = _prompt(line, f"{path}:{number}")
        if prompt.task_id in prompts:
            raise MindrailError(f"task_id {prompt.task_id!r} comes twice", where=f"{path}:{number}")
        prompts[prompt.task_id] = prompt
    if not prompts:
        raise MindrailError("holds no prompts", where=path)
    return list(prompts.values())


def _prompt(line: str, where: str) -> Prompt:
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        raise MindrailError(f"not JSON ({error})", where=where) from error
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("task_id", "prompt")):
        raise MindrailError("not an object with the texts task_id and prompt", where=where)
    return Prompt(row["task_id"], row["prompt"])
