"""The numbers that a model of any family has; a family's `config.py` reads them and adds its own.

No MindSpore here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

__all__ = ["ModelConfig"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig(ABC):
    """A model's sizes and constants.

    Attributes:
        vocab_size: rows of the embedding.
        hidden_size: width of the residual stream.
        intermediate_size: width of the feed-forward layer.
        num_layers: number of blocks.
        num_heads: number of query heads.
        num_kv_heads: number of key and value heads, a divisor of num_heads.
        max_positions: tokens of the longest sequence.
        norm_eps: added to the variance by every norm.
        tie_embeddings: whether the embedding is the head, too.
        bos_id: id of the token that begins a text; None without one.
        eos_id: id of the token that ends a text; None without one.
        pad_id: id of the token that fills rows up; None without one.
        dtype: of the published weights: float32, float16 or bfloat16.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    max_positions: int
    norm_eps: float
    tie_embeddings: bool = False
    bos_id: int | None = None
    eos_id: int | None = None
    pad_id: int | None = None
    dtype: str = "float32"

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_heads

    @property
    @abstractmethod
    def lookup_elements(self) -> int:
        """Elements of the parameters that rows are looked up in and that are in no product."""

    @abstractmethod
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter of the whole model under MindFormers' names, in network order.

        A tied head is not a parameter of its own.
        """
