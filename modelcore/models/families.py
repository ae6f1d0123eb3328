"""Which family a checkpoint is of, and everything that family has to say, from its config.json alone.

No network is built and no weight is read here; MindSpore is not imported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from modelcore.errors import MindrailError
from modelcore.models.gpt_bigcode.config import GPTBigCodeConfig
from modelcore.models.gpt_bigcode.names import NAMES as GPT_BIGCODE_NAMES
from modelcore.models.gpt_bigcode.partition import layer_widths as gpt_bigcode_widths
from modelcore.models.gpt_bigcode.partition import partition as gpt_bigcode_partition
from modelcore.models.llama.config import LlamaConfig
from modelcore.models.llama.meta import meta_config, meta_parts
from modelcore.models.llama.names import NAMES as LLAMA_NAMES
from modelcore.models.llama.partition import layer_widths as llama_widths
from modelcore.models.llama.partition import partition as llama_partition
from modelcore.parallel.memory import LayerWidths
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut, Partition
from modelcore.store.json_file import read_json_object
from modelcore.weights.name_table import NameTable

__all__ = ["Family", "ModelConfig", "load_model_config", "model_config", "read_config_json"]

# Every layer's parameters are listed by name: a config must not make that list endless.
_MOST_LAYERS = 10_000

ModelConfig: TypeAlias = LlamaConfig | GPTBigCodeConfig


@dataclass(frozen=True)
class Family:
    """A model's family and numbers.

    Attributes:
        name: `llama` or `gpt_bigcode`; config.json's model_type.
        config: the model's sizes and constants.
        names: the family's table of names, Hugging Face <-> MindSpore.
    """

    name: str
    config: ModelConfig
    names: NameTable

    def partition(
        self, layout: Layout, *, vocab_emb_dp: bool = False, offsets: Sequence[int] = ()
    ) -> Partition:
        """Return what each rank of `layout` holds of the model.

        Raises:
            MindrailError: the model cannot be cut that way.
        """
        if isinstance(self.config, LlamaConfig):
            return llama_partition(self.config, layout, vocab_emb_dp=vocab_emb_dp, offsets=offsets)
        return gpt_bigcode_partition(self.config, layout, vocab_emb_dp=vocab_emb_dp, offsets=offsets)

    def divide(self, cut: Cut) -> Partition:
        """Return what each rank holds when the model is cut so; errors as of `partition`."""
        return self.partition(cut.layout, vocab_emb_dp=cut.vocab_emb_dp, offsets=cut.offsets)

    def flops_per_token(self, seq_length: int) -> int:
        """Return the floating-point operations of a training step for each token of a row of that length.

        6 N + 12 L h s (Chowdhery et al. 2022, PaLM, appendix B): forward and backward pass through the N
        parameters that are multiplied with, and through L layers' attention, h heads times their size wide,
        counted in full though it is causal. What is computed a second time (recompute) does not count.
        """
        elements = sum(math.prod(shape) for shape in self.config.parameter_shapes().values())
        attention = self.config.num_layers * self.config.hidden_size * seq_length
        return 6 * (elements - self.config.looked_up) + 12 * attention

    def layer_widths(self) -> LayerWidths:
        """Return what a token costs in memory in one layer."""
        if isinstance(self.config, LlamaConfig):
            return llama_widths(self.config)
        return gpt_bigcode_widths(self.config)


def load_model_config(directory: Path) -> Family:
    """Read `directory`/config.json, or what Meta's files there say where it is missing.

    Raises:
        MindrailError: there is neither, it is not JSON, or describes a model that is not implemented here.
    """
    return model_config(read_config_json(directory), directory / "config.json")


def model_config(raw: Mapping[str, Any], where: object) -> Family:
    """Return the family of the model that a parsed config.json describes; `where` is its path, for errors."""
    family = _family(raw, where)
    if family.config.num_layers > _MOST_LAYERS:
        raise MindrailError(
            f"a model of {family.config.num_layers} layers", where=where, fix="correct the number"
        )
    return family


def _family(raw: Mapping[str, Any], where: object) -> Family:
    kind = raw.get("model_type")
    if kind == "llama":
        return Family("llama", LlamaConfig.from_hf(raw, where), LLAMA_NAMES)
    if kind == "gpt_bigcode":
        return Family("gpt_bigcode", GPTBigCodeConfig.from_hf(raw, where), GPT_BIGCODE_NAMES)
    raise MindrailError(f"model_type is {kind!r}: not implemented, only llama and gpt_bigcode", where=where)


def read_config_json(directory: Path) -> dict[str, Any]:
    """Return the parsed `directory`/config.json; of Meta's files without one, what it would be.

    Raises:
        MindrailError: it is missing or not a JSON object.
    """
    path = directory / "config.json"
    if not path.is_file():
        if parts := meta_parts(directory):
            return meta_config(parts)
        raise MindrailError(
            "no config.json here",
            where=directory,
            fix="put the model's Hugging Face config.json beside its weights",
        )
    return read_json_object(path)
