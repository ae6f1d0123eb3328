"""What the files of a checkpoint hold: the whole shape of every tensor, and which boxes of it are stored.

The checkpoint may be whole or sharded; its holdings have the same form. Only headers are read, and the few
values that have no slices, such as step counters.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelcore.checkpoints.assemble import Piece
from modelcore.checkpoints.shards import Shards
from modelcore.checkpoints.slicing import device_box, whole_shape
from modelcore.errors import MindrailError
from modelcore.parallel.box import whole_box
from modelcore.weights.checkpoint import open_checkpoint, open_file
from modelcore.weights.tensors import StoredTensor, read

__all__ = ["Holdings", "holdings_of_shards", "holdings_of_whole", "is_state"]


@dataclass
class Holdings:
    """The tensors of a checkpoint, in the order of its files.

    Attributes:
        shapes: the whole shape of each tensor.
        pieces: the stored boxes of each tensor.
    """

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    pieces: dict[str, list[Piece]] = field(default_factory=dict)

    def is_counter(self, name: str) -> bool:
        """Whether a tensor is a single value that belongs to no particular rank, such as a step number."""
        return math.prod(self.shapes[name]) == 1

    def add(self, place: object, name: str, shape: tuple[int, ...], piece: Piece) -> None:
        """Add one stored box.

        Raises:
            MindrailError: by another file the whole tensor has another shape.
        """
        known = self.shapes.setdefault(name, shape)
        if known != shape:
            raise MindrailError(
                f"by its slice the whole is {list(shape)}, by other ranks' slices {list(known)}",
                where=f"{place}: {name}",
            )
        self.pieces.setdefault(name, []).append(piece)


def holdings_of_whole(path: Path, *, weights_only: bool = False) -> Holdings:
    """Return what an unsharded checkpoint holds: a file, an index or a directory with one of them.

    Args:
        path: the checkpoint.
        weights_only: leave out optimizer states and counters.

    Raises:
        MindrailError: there is none, or it is damaged.
    """
    held = Holdings()
    tensors = open_checkpoint(path).tensors
    for name, tensor in tensors.items():
        if weights_only and (math.prod(tensor.shape) == 1 or is_state(name, tensors)):
            continue
        held.add(path, name, tensor.shape, Piece(whole_box(tensor.shape), tensor))
    return held


def holdings_of_shards(shards: Shards, *, weights_only: bool = False) -> Holdings:
    """Return what the ranks' files hold, by their strategies.

    Args:
        shards: the files and their strategies.
        weights_only: leave out optimizer states (`adam_m.<parameter>`) and values that are in no strategy.

    Raises:
        MindrailError: a tensor is not in its strategy, only some ranks of a stage have it, or its slices do
            not fit each other.
    """
    held = Holdings()
    files = {rank: open_file(path) for rank, path in shards.files.items()}
    for rank, tensors in files.items():
        layouts, device = shards.strategies[rank].layouts, rank % shards.devices
        for name, tensor in tensors.items():
            place = shards.files[rank]
            layout = layouts.get(name)
            if weights_only and is_state(name, tensors):
                continue
            if layout is None:
                if not weights_only or math.prod(tensor.shape) != 1:
                    _add_common(held, place, tensor)
                continue
            try:
                shape = whole_shape(name, layout, tensor.shape)
                box = device_box(name, layout, device, shape)
            except MindrailError as error:
                raise MindrailError(str(error), where=place) from error
            held.add(place, name, shape, Piece(box, tensor))
    _check_stages(shards, files)
    return held


def is_state(name: str, names: Container[str]) -> bool:
    """Whether `name` is an optimizer's state: `adam_m.<parameter>`, with the parameter among `names`."""
    return name.partition(".")[2] in names


def _check_stages(shards: Shards, files: Mapping[int, Mapping[str, StoredTensor]]) -> None:
    """Refuse a tensor that some ranks of a pipeline stage have and others do not."""
    for rank, tensors in files.items():
        first = rank - rank % shards.devices
        if missing := [name for name in files[first] if name not in tensors]:
            raise MindrailError(
                f"has no {missing[0]}, which rank {first} of the same stage has", where=shards.files[rank]
            )
        if extra := [name for name in tensors if name not in files[first]]:
            raise MindrailError(
                f"has {extra[0]}, rank {first} of the same stage does not",
                where=shards.files[rank],
            )


def _add_common(held: Holdings, place: Path, tensor: StoredTensor) -> None:
    """Add a tensor that is in no strategy: a single value that is the same in every file."""
    if math.prod(tensor.shape) != 1:
        raise MindrailError(
            "the parameter is not in its strategy file",
            where=f"{place}: {tensor.name}",
            fix="the strategy files are of another model, or were saved with only_trainable_params",
        )
    known = held.pieces.get(tensor.name)
    if known and read(known[0].tensor).tobytes() != read(tensor).tobytes():
        raise MindrailError("is in no strategy and differs between ranks", where=f"{place}: {tensor.name}")
    held.add(place, tensor.name, tensor.shape, Piece(whole_box(tensor.shape), tensor))
