"""What the engine is asked for: one response to one prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelcore.generation.sampling import Sampling

__all__ = ["Request"]


@dataclass(frozen=True, eq=False)
class Request:
    """One response to generate.

    Attributes:
        task_id: names the prompt; with seed and sample it decides the random numbers.
        sample: which response to that prompt.
        ids: the prompt's tokens, none or more than the model's length are the caller's error.
        sampling: how tokens are chosen.
        stops: texts that end the response; neither they nor what follows is part of it.
        stop_ids: tokens that end it beside the model's own.
        stream: whether additions carry text; decoding it at each token costs a little.
    """

    task_id: str
    sample: int
    ids: Sequence[int]
    sampling: Sampling
    stops: tuple[str, ...] = ()
    stop_ids: frozenset[int] = frozenset()
    stream: bool = False
