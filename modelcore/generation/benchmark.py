"""Measures generation: time to the first token, time per token after it, tokens per second, and memory.

`python -m modelcore.generation.benchmark CHECKPOINT PROMPT NEW BATCH PRECISION OUTPUT` measures one pair of
lengths in a process of its own and writes a JSON object. Prompts are random tokens, all of one length; tokens
are chosen greedily, one per step and sequence, and none ends a response early.

Not here: quality, and the guesses that make real answers faster.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelcore.errors import MindrailError
from modelcore.generation.memory import check_memory
from modelcore.generation.weight_type import weight_type
from modelcore.launching.resident_memory import highest_resident_bytes
from modelcore.models.families import read_model
from modelcore.weights.checkpoint import open_checkpoint

if TYPE_CHECKING:
    from modelcore.generation.decoder import Decoder

__all__ = ["GenerationSpeed", "check_lengths", "measure"]


@dataclass(frozen=True)
class GenerationSpeed:
    """What was measured for prompts of one length.

    Attributes:
        prompt: tokens of each prompt.
        new: tokens generated for each.
        batch: prompts side by side.
        start_seconds: reading the weights and compiling.
        first_token_seconds: from the prompts to the first token of all of them.
        per_token_seconds: each step after that; it generates `batch` tokens.
        tokens_per_second: all new tokens by the time from the prompts to the last of them.
        peak_bytes: the most memory that the process held.
    """

    prompt: int
    new: int
    batch: int
    start_seconds: float
    first_token_seconds: float
    per_token_seconds: float
    tokens_per_second: float
    peak_bytes: int


def check_lengths(checkpoint: Path, pairs: Sequence[tuple[int, int]]) -> None:
    """Check that the model's context holds each pair of prompt and new tokens.

    Raises:
        MindrailError: it does not, or a length is below 1; or there is no model.
    """
    context = read_model(checkpoint).config.max_positions
    for prompt, new in pairs:
        where = f"--pairs: [{prompt},{new}]"
        if min(prompt, new) < 1:
            raise MindrailError("lengths are 1 or more", where=where)
        if prompt + new > context:
            raise MindrailError(
                f"{prompt + new} tokens, the model's context is {context}", where=where, fix="take fewer"
            )


def measure(checkpoint: Path, *, prompt: int, new: int, batch: int, precision: str) -> GenerationSpeed:
    """Measure one pair of lengths in this process.

    Args:
        checkpoint: a whole MindSpore directory.
        prompt: tokens of each prompt.
        new: tokens to generate for each.
        batch: prompts side by side.
        precision: of the weights, as of `Decoding`.

    Raises:
        MindrailError: it does not fit into memory, or the checkpoint is not the model's.
    """
    start = time.perf_counter()
    decoder = _load(checkpoint, batch, prompt + new, precision)
    vocabulary = read_model(checkpoint).config.vocab_size
    prompts = np.random.default_rng(0).integers(0, vocabulary, (batch, prompt)).astype(np.int32)
    tokens = _begin(decoder, prompts[:, :1])  # compiles
    decoder.extend(tokens, np.ones(batch, np.int32))
    begun = time.perf_counter()
    tokens = _begin(decoder, prompts)
    first = time.perf_counter()
    for step in range(new - 1):
        logits = decoder.extend(tokens, np.full(batch, prompt + step, np.int32))
        tokens = logits.argmax(axis=2).astype(np.int32)
    end = time.perf_counter()
    return GenerationSpeed(
        prompt,
        new,
        batch,
        start_seconds=begun - start,
        first_token_seconds=first - begun,
        per_token_seconds=(end - first) / max(new - 1, 1),
        tokens_per_second=batch * new / (end - begun),
        peak_bytes=highest_resident_bytes(),
    )


def _load(checkpoint: Path, batch: int, length: int, precision: str) -> Decoder:
    model, matrices = read_model(checkpoint), weight_type(precision, open_checkpoint(checkpoint).tensors)
    check_memory(model, matrices, slots=batch, length=length)
    import mindspore

    from modelcore.generation.decoder import Decoder

    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    return Decoder(model, checkpoint, slots=batch, length=length, prompts=-(-batch // 4), matrices=matrices)


def _begin(decoder: Decoder, prompts: NDArray[np.int32]) -> NDArray[np.int32]:
    """Begin all prompts; return their first tokens, int32 [batch, 1]."""
    rows = []
    for start in range(0, len(prompts), decoder.prompts):
        group = range(start, min(start + decoder.prompts, len(prompts)))
        rows.append(decoder.begin(group, [prompts[slot].tolist() for slot in group]).argmax(axis=1))
    first: NDArray[np.int32] = np.concatenate(rows).astype(np.int32).reshape(-1, 1)
    return first


def main(arguments: Sequence[str]) -> int:
    """Measure what the arguments say; return the exit code."""
    checkpoint, prompt, new, batch, precision, output = arguments
    try:
        speed = measure(
            Path(checkpoint), prompt=int(prompt), new=int(new), batch=int(batch), precision=precision
        )
    except MindrailError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    Path(output).write_text(json.dumps(asdict(speed)) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
