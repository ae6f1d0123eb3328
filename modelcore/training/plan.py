"""Everything a training job depends on, as one JSON file that each rank reads.

The numbers are the configuration's (`TrainOptions`: one definition of each default and bound); what is added
here says where the job's files are and how the model is divided. No MindSpore here: the ranks read the plan
before MindSpore is imported.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from modelcore.config.reading import parse
from modelcore.config.section import NonNegativeInt
from modelcore.config.training import TrainOptions
from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout

__all__ = ["TrainPlan"]


class TrainPlan(TrainOptions):
    """One training job.

    Attributes:
        model: directory of shards: config.json and rank_<r>/checkpoint_<r>.ckpt for every rank of `layout`.
        data: MindRecord file of rows of seq_length + 1 tokens: input_ids and, where some are masked, labels.
        output: directory to fill: rank_<r>/checkpoint_<r>.ckpt, metrics.jsonl, logs/.
        validation: MindRecord file of rows held back from `data`; "" if there is none.
        seed: of the order of samples.
        layout: ranks along each axis.
        accumulate: batches per step; with several pipeline stages, its micro-batches.
        vocab_emb_dp: embedding and head are whole on every rank.
        offsets: layers more or fewer in each pipeline stage.
        shard_optimizer: the replicas share the optimizer's states (ZeRO-1).
        recompute: compute activations again in the backward pass instead of keeping them.
    """

    model: str
    data: str
    output: str
    validation: str = ""
    seed: NonNegativeInt
    layout: Layout = Field(default_factory=Layout)
    vocab_emb_dp: bool = False
    offsets: tuple[int, ...] = ()
    shard_optimizer: bool = False
    recompute: bool = False

    @property
    def rows_per_replica(self) -> int:
        """Rows that one data-parallel replica takes in a step."""
        return self.batch_size * self.accumulate

    @property
    def global_batch(self) -> int:
        """Rows of a step over all replicas."""
        return self.rows_per_replica * self.layout.data_parallel

    def as_plain(self) -> dict[str, Any]:
        """Return the plan as a checkpoint's state records it."""
        return self.model_dump()

    def write(self, path: Path) -> None:
        """Write the plan as JSON."""
        path.write_text(json.dumps(self.as_plain(), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> TrainPlan:
        """Read a plan.

        Raises:
            MindrailError: the file is not JSON of a plan; the key is named.
        """
        try:
            raw = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise MindrailError(f"cannot be read: {error}", where=path) from error
        if not isinstance(raw, dict):
            raise MindrailError("is not a JSON object", where=path)
        return parse(raw, cls, where=path)
