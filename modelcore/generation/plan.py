"""What a generation job is asked for: the JSON plan, and the prompts it names. No MindSpore here."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelcore.errors import MindrailError

__all__ = ["GenerationPlan", "Prompt", "read_plan", "read_prompts"]


class GenerationPlan(BaseModel):
    """One job.

    Attributes:
        checkpoint: a whole MindSpore directory: config.json, model.ckpt or .safetensors, tokenizer files.
        prompts: JSON lines {"task_id", "prompt"}; the prompt is what the model reads, unchanged.
        output: JSON lines {"task_id", "sample", "response", "finish"} in the order of prompts and samples.
        max_new_tokens: tokens after which a response is cut (finish "length").
        stops: texts before which a response ends (finish "stop").
        samples: responses a prompt.
        temperature: 0 is greedy.
        top_p: mass of the nucleus tokens are drawn from.
        seed: of the draws.
        batch_size: sequences decoded side by side.
        bos: put the beginning-of-sequence token before each prompt.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    checkpoint: str
    prompts: str
    output: str
    max_new_tokens: int = Field(ge=1)
    stops: list[str] = []
    samples: int = Field(1, ge=1)
    temperature: float = Field(0.0, ge=0, allow_inf_nan=False)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int = 0
    batch_size: int = Field(16, ge=1)
    bos: bool = False

    def fingerprint(self) -> str:
        """Return a sha256 of what the responses depend on; of the weights only names and sizes are read."""
        kept = self.model_dump(exclude={"checkpoint", "prompts", "output"})
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
        return GenerationPlan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise MindrailError(f"cannot be read: {error.strerror}", where=path) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise MindrailError(first["msg"], where=f"{path}: {key}" if key else path) from error


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
