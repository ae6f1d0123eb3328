"""How the next token is chosen from logits.

Each response draws from its own stream of random numbers, one number a token: what it says does not depend on
which responses are generated beside it, nor in which order. The order of the options is transformers':
repetition penalty, minimum length, temperature, top-k, top-p.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sampling", "TokenLogprobs", "choose", "likeliest", "logprobs", "penalize", "random_stream"]

_BLOCK = 256  # rows that are compared at a time, because numpy is slow with short rows


@dataclass(frozen=True)
class Sampling:
    """How the tokens of one response are chosen, and how many there may be.

    Attributes:
        max_new_tokens: after which it is cut.
        min_new_tokens: before which no token may end it.
        temperature: divides the logits; 0 takes the largest (of equals the first), and draws nothing.
        top_k: draw from this many most likely tokens, and those as likely as the last of them; 0 for all.
        top_p: draw from the fewest tokens whose probabilities add up to at least this (Holtzman et al. 2020).
        repetition_penalty: divides the positive logits of tokens that are in the prompt or the response, and
            multiplies the negative ones (Keskar et al. 2019).
        seed: of the draws.
        logprobs: how many of the most likely tokens to report with each token; None to report nothing.
    """

    max_new_tokens: int
    min_new_tokens: int = 0
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0
    logprobs: int | None = None

    def takes_likeliest(self, new: int) -> bool:
        """Whether the token after `new` others is the one with the largest logit, whatever came before."""
        return self.temperature == 0 and self.repetition_penalty == 1 and new >= self.min_new_tokens


@dataclass(frozen=True)
class TokenLogprobs:
    """Natural logarithms of the model's own probabilities, before any option.

    Attributes:
        token: the token's id.
        logprob: of the token.
        top: (id, logprob) of the most likely tokens, the likeliest first.
    """

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]


def random_stream(seed: int, task_id: str, sample: int) -> np.random.Generator:
    """Return the stream of one response."""
    name = hashlib.sha256(f"{seed}\0{task_id}\0{sample}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(name[:16], "big")))


def penalize(
    logits: NDArray[np.float32],
    sampling: Sampling,
    seen: Collection[int],
    new: int,
    end_ids: Collection[int],
) -> NDArray[np.float32]:
    """Return the logits after repetition penalty and minimum length; the same array where neither applies.

    Args:
        logits: [vocabulary].
        sampling: the options.
        seen: tokens of the prompt and of the response.
        new: how many tokens the response has.
        end_ids: tokens that would end it.
    """
    if sampling.repetition_penalty != 1:
        logits = logits.copy()
        repeated = np.fromiter(seen, np.int64, len(seen))
        scores, penalty = logits[repeated], np.float32(sampling.repetition_penalty)
        logits[repeated] = np.where(scores < 0, scores * penalty, scores / penalty)
    if new < sampling.min_new_tokens:
        logits = logits.copy()
        logits[[end for end in end_ids if end < logits.size]] = -np.inf
    return logits


def likeliest(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the place of the largest logit, of equals the first: [...] of [..., vocabulary].

    It is numpy's argmax, for 16 rows more than twice as fast where the vocabulary is the first axis in
    memory, as a model of columns leaves it.
    """
    columns = logits.reshape(-1, logits.shape[-1]).T
    size, count = columns.shape
    if count == 1 or size < _BLOCK or not columns.flags.c_contiguous:
        return _argmax(logits)
    whole = size - size % _BLOCK
    blocks = columns[:whole].reshape(-1, _BLOCK * count)
    largest = np.maximum(
        blocks.max(axis=0).reshape(_BLOCK, count).max(axis=0), columns[whole - 1 :].max(axis=0)
    )
    at = np.concatenate(
        [
            np.flatnonzero(blocks == np.tile(largest, _BLOCK)),
            np.flatnonzero(columns[whole:] == largest) + whole * count,
        ]
    )[::-1]
    places = np.full(count, -1)
    places[at % count] = at // count  # of equal ones, the last that is assigned is the first
    return _argmax(logits) if -1 in places else places.reshape(logits.shape[:-1])  # -1: a NaN


def _argmax(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.asarray(logits.argmax(axis=-1), np.int64)


def choose(logits: NDArray[np.float32], sampling: Sampling, stream: np.random.Generator) -> int:
    """Return the next token's id; of `stream` one number is taken, none with temperature 0.

    Args:
        logits: [vocabulary], after `penalize`.
        sampling: the options.
        stream: of the response.
    """
    if sampling.temperature == 0:
        return int(np.argmax(logits))
    weights = np.exp((logits.astype(np.float64) - float(np.max(logits))) / sampling.temperature)
    if 0 < sampling.top_k < weights.size:
        weights[weights < np.partition(weights, -sampling.top_k)[-sampling.top_k]] = 0
    order = np.argsort(-weights, kind="stable")
    mass = np.cumsum(weights[order])
    kept = mass.size
    if sampling.top_p < 1:
        kept = min(int(np.searchsorted(mass, sampling.top_p * mass[-1])) + 1, mass.size)
    point = stream.random() * mass[kept - 1]
    return int(order[min(int(np.searchsorted(mass[:kept], point, side="right")), kept - 1)])


def logprobs(logits: NDArray[np.float32], token: int, top: int) -> TokenLogprobs:
    """Return the logarithms of the probabilities of `token` and of the `top` most likely tokens."""
    shifted = logits.astype(np.float64) - float(np.max(logits))
    scores = shifted - np.log(np.exp(shifted).sum())
    likeliest: Sequence[int] = np.argsort(-scores, kind="stable")[:top].tolist()
    return TokenLogprobs(token, float(scores[token]), tuple((id, float(scores[id])) for id in likeliest))
