"""Rotary positions (Su et al. 2021), in Hugging Face's layout: dimension i of a head pairs with i + half.

For training there is one matrix for each position, for generation there are cos and sin.
"""

from __future__ import annotations

import numpy as np
from mindspore import Tensor
from mindspore.ops.primitive import constexpr

__all__ = ["rotary_tables", "scaled_rotations"]


def rotary_tables(
    head_dim: int, theta: float, scaling: float, positions: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return cos and sin of the rotary angles, float32 [positions, head_dim].

    The angle of pair i at position p is p / scaling * theta^(-2i / head_dim) (linear scaling: Chen et al.
    2023).
    """
    pairs = np.arange(0, head_dim, 2, dtype=np.float32) / head_dim
    frequencies = (1.0 / np.power(np.float32(theta), pairs)) / np.float32(scaling)
    angles = np.outer(np.arange(positions, dtype=np.float32), frequencies)
    angles = np.concatenate([angles, angles], axis=1)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _rotate_half(head_dim: int) -> np.ndarray:
    """Return the float32 matrix R with x @ R = (-second half of x, first half of x)."""
    half = head_dim // 2
    matrix = np.zeros((head_dim, head_dim), np.float32)
    matrix[np.arange(half) + half, np.arange(half)] = -1
    matrix[np.arange(half), np.arange(half) + half] = 1
    return matrix


@constexpr
def scaled_rotations(head_dim: int, theta: float, scaling: float, seq: int) -> Tensor:
    """Return what a query or key is multiplied with at each position, float32 [seq, head_dim, head_dim].

    x cos + rotate_half(x) sin is linear in x: one product with this matrix, which on CPU costs a third of the
    five operations written out. The scores' division by sqrt(head_dim) is in it, half with the queries and
    half with the keys. It is a constant of the graph, shared by all layers.
    """
    cos, sin = rotary_tables(head_dim, theta, scaling, seq)
    rotations = np.eye(head_dim, dtype=np.float32) * cos[:, None, :]
    rotations += _rotate_half(head_dim) * sin[:, None, :]
    return Tensor(rotations * np.float32(head_dim**-0.25))
