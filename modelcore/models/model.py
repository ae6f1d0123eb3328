"""A model known by its config.json: its family and its numbers, and what follows from the two.

Nothing is built and no weight is read here; MindSpore is not imported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from modelcore.models.config import ModelConfig
from modelcore.models.family import Family
from modelcore.parallel.memory import LayerWidths
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut, Partition, Rule, partition_model

__all__ = ["Model"]


@dataclass(frozen=True)
class Model:
    """A model's family and its sizes and constants."""

    family: Family[Any]
    config: ModelConfig

    def partition(
        self, layout: Layout, *, vocab_emb_dp: bool = False, offsets: Sequence[int] = ()
    ) -> Partition:
        """Return what each rank of `layout` holds of the model.

        Raises:
            MindrailError: heads, intermediate size or layers do not divide; config.json's key is named.
        """
        return partition_model(
            self.config.parameter_shapes(),
            self._rules(),
            self.family.counts(self.config),
            layout,
            num_layers=self.config.num_layers,
            vocab_emb_dp=vocab_emb_dp,
            offsets=offsets,
        )

    def divide(self, cut: Cut) -> Partition:
        """Return what each rank holds when the model is cut so; errors as of `partition`."""
        return self.partition(cut.layout, vocab_emb_dp=cut.vocab_emb_dp, offsets=cut.offsets)

    def layer_widths(self) -> LayerWidths:
        """Return what a token costs in memory in one layer."""
        return self.family.layer_widths(self.config)

    def flops_per_token(self, seq_length: int) -> int:
        """Return the floating-point operations of a training step for each token of a row of that length.

        6 N + 12 L h s (Chowdhery et al. 2022, PaLM, appendix B): forward and backward pass through the N
        parameters that are multiplied with, and through L layers' attention, h heads times their size wide,
        counted in full though it is causal. What is computed a second time (recompute) does not count.
        """
        elements = sum(math.prod(shape) for shape in self.config.parameter_shapes().values())
        attention = self.config.num_layers * self.config.hidden_size * seq_length
        return 6 * (elements - self.config.lookup_elements) + 12 * attention

    def _rules(self) -> dict[str, Rule]:
        """Return the family's rules; a tied embedding is in the last stage, too, as its head."""
        rules = dict(self.family.rules)
        if self.config.tie_embeddings:
            embedding = self.family.names.tied_mindspore[0]
            rules[embedding] = replace(rules[embedding], place="ends")
        return rules
