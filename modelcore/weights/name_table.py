"""One table of names for both directions between Hugging Face and MindSpore.

A row pairs a tensor there with one here and says how they differ: not at all, by a split into rows, or by a
transposition. `{}` stands for the layer's number. The tables themselves are in `models/<family>/names.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from modelcore.weights.tensors import LazyTensor, as_stored, joined
from modelcore.weights.transpose import transposed

__all__ = ["NameTable", "Rename", "Row", "Split", "Transpose"]

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Rename:
    """The same tensor under two names."""

    hf: str
    mindspore: str

    def at(self, layer: int) -> Rename:
        """Return the row for one layer."""
        return Rename(self.hf.format(layer), self.mindspore.format(layer))

    @property
    def parts(self) -> tuple[str, ...]:
        """The row's MindSpore names."""
        return (self.mindspore,)

    def hf_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Return the Hugging Face tensor's shape, given those of the MindSpore parts."""
        return shapes[0]

    def to_mindspore(self, tensor: LazyTensor, shapes: Sequence[Shape]) -> list[LazyTensor]:
        """Return the MindSpore parts of a Hugging Face tensor, lazily."""
        return [tensor]

    def to_hf(self, tensors: Sequence[LazyTensor]) -> LazyTensor:
        """Return the Hugging Face tensor that the MindSpore parts make, lazily."""
        return tensors[0]


@dataclass(frozen=True)
class Transpose(Rename):
    """A matrix that the one side stores [out, in] and the other [in, out]."""

    def at(self, layer: int) -> Transpose:
        """Return the row for one layer."""
        return Transpose(self.hf.format(layer), self.mindspore.format(layer))

    def hf_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Return the Hugging Face tensor's shape, given that of the MindSpore one."""
        return tuple(reversed(shapes[0]))

    def to_mindspore(self, tensor: LazyTensor, shapes: Sequence[Shape]) -> list[LazyTensor]:
        """Return the transpose, lazily."""
        return [transposed(tensor)]

    def to_hf(self, tensors: Sequence[LazyTensor]) -> LazyTensor:
        """Return the transpose, lazily."""
        return transposed(tensors[0])


@dataclass(frozen=True)
class Split:
    """One Hugging Face tensor whose rows are those of several MindSpore tensors, in this order."""

    hf: str
    parts: tuple[str, ...]

    def at(self, layer: int) -> Split:
        """Return the row for one layer."""
        return Split(self.hf.format(layer), tuple(part.format(layer) for part in self.parts))

    def hf_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Return the Hugging Face tensor's shape: the parts' rows together."""
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def to_mindspore(self, tensor: LazyTensor, shapes: Sequence[Shape]) -> list[LazyTensor]:
        """Return the parts, lazily; `shapes` are theirs."""
        stored = as_stored(tensor)
        parts: list[LazyTensor] = []
        start = 0
        for shape in shapes:
            parts.append(stored.rows(start, start + shape[0]))
            start += shape[0]
        return parts

    def to_hf(self, tensors: Sequence[LazyTensor]) -> LazyTensor:
        """Return the parts concatenated on axis 0, lazily."""
        return joined([as_stored(tensor) for tensor in tensors])


Row: TypeAlias = Rename | Transpose | Split


@dataclass(frozen=True)
class NameTable:
    """A family's names.

    Attributes:
        rows: the pairs; a row with `{}` is one for every layer.
        buffers: Hugging Face tensors that carry no weight (`{}`: the layer) and are left out.
        tied: (embedding, head) on the Hugging Face side; for a model with tied embeddings a file may hold
            the head too, and then it must be equal to the embedding.
        tied_mindspore: the same two on the MindSpore side.
    """

    rows: tuple[Row, ...]
    buffers: tuple[str, ...]
    tied: tuple[str, str]
    tied_mindspore: tuple[str, str]

    def expand(self, layers: int, shapes: Mapping[str, Shape]) -> list[Row]:
        """Return the rows of a model of so many layers whose MindSpore parameters are those of `shapes`.

        The rows of a head that `shapes` does not have, because it is tied, are left out.

        Raises:
            KeyError: the table has a parameter that `shapes` lacks, or the reverse.
        """
        expanded: list[Row] = []
        for row in self.rows:
            count = layers if "{}" in row.hf else 1
            expanded.extend(row.at(layer) for layer in range(count))
        expanded = [row for row in expanded if row.parts != self.tied_mindspore[1:] or row.parts[0] in shapes]
        names = {part for row in expanded for part in row.parts}
        if names != set(shapes):
            raise KeyError(f"the table and the parameters differ in {sorted(names ^ set(shapes))[:5]}")
        return expanded

    def buffer_names(self, layers: int) -> frozenset[str]:
        """Return the names of the Hugging Face tensors of so many layers that carry no weight."""
        return frozenset(form.format(layer) for form in self.buffers for layer in range(layers))
