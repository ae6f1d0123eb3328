"""What a model family is: one value for each, made of the family's tables and functions.

`<family>/family.py` makes it and `families.py` lists it. Network and decoder import MindSpore when they are
called, not before: commands that need only config, names and partition start at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from modelcore.models.config import ModelConfig
from modelcore.parallel.memory import LayerWidths
from modelcore.parallel.partition import Rule
from modelcore.weights.name_table import NameTable
from modelcore.weights.tensors import LazyTensor

if TYPE_CHECKING:
    from modelcore.models.cache import LayerCache
    from modelcore.models.decoder import CachedDecoder
    from modelcore.models.network import NetworkPart, Transformer

__all__ = ["Family", "MakeDecoder", "NativeFormat"]

Config = TypeVar("Config", bound=ModelConfig)


class MakeDecoder(Protocol):
    """Makes the decoder of a network; arguments as of `CachedDecoder`."""

    def __call__(self, network: Any, caches: Sequence[LayerCache], *, every_slot: bool) -> CachedDecoder:
        """Return the decoder of a network of the family; it borrows the network's cells."""
        ...


@dataclass(frozen=True)
class NativeFormat(Generic[Config]):
    """A format that a family's publisher uses instead of Hugging Face's.

    Attributes:
        publisher: whose format it is.
        files: the weight files in a directory, in order; none if it has none of this format.
        config: what config.json would be, from the files and those beside them.
        tensors: the whole model's tensors under Hugging Face's names.
    """

    publisher: str
    files: Callable[[Path], list[Path]]
    config: Callable[[Sequence[Path]], dict[str, Any]]
    tensors: Callable[[Sequence[Path], Config], dict[str, LazyTensor]]


@dataclass(frozen=True)
class Family(Generic[Config]):
    """A model family.

    Attributes:
        name: config.json's model_type.
        read_config: the numbers of a model, from its parsed config.json and that file's path, for errors.
        names: its parameters' names, Hugging Face <-> MindSpore.
        rules: how each parameter is cut among ranks; `{}` in a name stands for the layer's number.
        counts: what must divide by model_parallel, by its key in config.json.
        layer_widths: what a token costs in memory in one layer.
        scales: endings of the names of the norms' factors, which random weights start at one.
        to_residual: endings of the names of the matrices that add to the residual stream, which random
            weights make smaller.
        network: builds a part of the network, its parameters zero.
        decoder: makes a decoder of a whole network.
        native: its publisher's own format, if there is one beside Hugging Face's.
    """

    name: str
    read_config: Callable[[Mapping[str, Any], object], Config]
    names: NameTable
    rules: Mapping[str, Rule]
    counts: Callable[[Config], Mapping[str, int]]
    layer_widths: Callable[[Config], LayerWidths]
    scales: tuple[str, ...]
    to_residual: tuple[str, ...]
    network: Callable[[Config, NetworkPart], Transformer]
    decoder: MakeDecoder
    native: NativeFormat[Config] | None = None
