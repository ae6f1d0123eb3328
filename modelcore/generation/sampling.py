"""How the next token is chosen from logits.

Each response draws from its own stream of random numbers, seeded by (seed, task_id, sample), one number a
token: what it says does not depend on which responses are generated beside it, nor in which order.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["choose", "random_stream"]


def random_stream(seed: int, task_id: str, sample: int) -> np.random.Generator:
    """Return the stream of one response."""
    name = hashlib.sha256(f"{seed}\0{task_id}\0{sample}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(name[:16], "big")))


def choose(logits: NDArray[np.float32], temperature: float, top_p: float, stream: np.random.Generator) -> int:
    """Return the next token's id.

    Args:
        logits: [vocabulary].
        temperature: divides the logits; 0 takes the largest (of equals the first), and draws nothing.
        top_p: draw from the fewest tokens whose probabilities add up to at least this (Holtzman et al. 2020).
        stream: of the response; one number is taken.
    """
    if temperature == 0:
        return int(np.argmax(logits))
    scaled = (logits.astype(np.float64) - float(np.max(logits))) / temperature
    weights = np.exp(scaled)
    order = np.argsort(-weights, kind="stable")
    mass = np.cumsum(weights[order])
    kept = int(np.searchsorted(mass, top_p * mass[-1])) + 1 if top_p < 1 else mass.size
    kept = min(kept, mass.size)
    point = stream.random() * mass[kept - 1]
    return int(order[min(int(np.searchsorted(mass[:kept], point, side="right")), kept - 1)])
