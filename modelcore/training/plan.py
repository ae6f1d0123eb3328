"""Everything a training job depends on, as one JSON file that each rank reads.

The plan names directories and numbers; it holds no default that belongs in a run's YAML except those of
the field (AdamW's betas). No MindSpore here: the ranks read it before MindSpore is imported.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout

__all__ = ["TrainPlan"]


@dataclass(frozen=True)
class TrainPlan:
    """One training job.

    Attributes:
        model: directory of shards: config.json and rank_<r>/checkpoint_<r>.ckpt for every rank of `layout`.
        data: MindRecord file of rows of seq_length + 1 tokens: input_ids and, where some are masked, labels.
        output: directory to fill: rank_<r>/checkpoint_<r>.ckpt, metrics.jsonl, logs/.
        steps: optimizer steps of the whole job.
        batch_size: rows a data-parallel replica takes at once.
        layout: ranks along each axis.
        accumulate: how many such batches make a step; with several pipeline stages, its micro-batches.
        seed: of the order of samples.
        learning_rate: peak of the cosine.
        warmup_steps: steps of linear warm-up.
        final_rate: the cosine ends at this share of the peak.
        weight_decay: AdamW's decay of matrices; norms and biases have none.
        clip_norm: gradients are scaled down to this global norm.
        precision: "fp32"; "bf16" (on CPU: matrix products round their inputs, all else is fp32); "fp16", with
            a dynamic loss scale.
        vocab_emb_dp: embedding and head are whole on every rank.
        offsets: layers more or fewer in each pipeline stage.
        shard_optimizer: the replicas share the optimizer's states (ZeRO-1).
        recompute: compute activations again in the backward pass instead of keeping them.
        checkpoint_every: steps between two checkpoints.
        keep: checkpoints kept while training.
        validation: MindRecord file of rows held back from `data`; "" if there is none.
        validate_every: steps between two losses of those rows; there is one after the last step, too.
        peak_tflops: a rank's peak in TFLOP/s as published, to tell the share made use of; 0 if not known.
    """

    model: str
    data: str
    output: str
    steps: int
    batch_size: int
    layout: Layout = field(default_factory=Layout)
    accumulate: int = 1
    seed: int = 1
    learning_rate: float = 1e-3
    warmup_steps: int = 0
    final_rate: float = 0.1
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    clip_norm: float = 1.0
    precision: str = "fp32"
    vocab_emb_dp: bool = False
    offsets: tuple[int, ...] = ()
    shard_optimizer: bool = False
    recompute: bool = False
    checkpoint_every: int = 100
    keep: int = 2
    validation: str = ""
    validate_every: int = 100
    peak_tflops: float = 0.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate", "checkpoint_every", "keep", "validate_every"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("seed", "warmup_steps", "weight_decay"):
            self._require(name, getattr(self, name) >= 0, "at least 0")
        self._require("peak_tflops", 0 <= self.peak_tflops < math.inf, "at least 0")
        for name in ("learning_rate", "epsilon", "clip_norm"):
            self._require(name, 0 < getattr(self, name) < math.inf, "above 0")
        for name in ("beta1", "beta2"):
            self._require(name, 0 <= getattr(self, name) < 1, "from 0 to below 1")
        self._require("final_rate", 0 <= self.final_rate <= 1, "from 0 to 1")
        self._require("precision", self.precision in ("fp32", "bf16", "fp16"), "fp32, bf16 or fp16")

    def _require(self, name: str, good: bool, wanted: str) -> None:
        if not good:
            raise MindrailError(f"{getattr(self, name)!r} is not {wanted}", where=name)

    @property
    def rows_per_replica(self) -> int:
        """Rows one data-parallel replica takes in a step."""
        return self.batch_size * self.accumulate

    @property
    def global_batch(self) -> int:
        """Rows of a step over all replicas."""
        return self.rows_per_replica * self.layout.data_parallel

    def write(self, path: Path) -> None:
        """Write the plan as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

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
        known = _known_fields(raw, path)
        layout, offsets = Layout(**known.get("layout", {})), tuple(known.get("offsets", ()))
        return cls(**{**known, "layout": layout, "offsets": offsets})


def _known_fields(raw: Any, where: Path) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise MindrailError("is not a JSON object", where=where)
    known = {entry.name: entry for entry in fields(TrainPlan)}
    for key, value in raw.items():
        if key not in known:
            raise MindrailError(f"unknown key {key!r}", where=where)
        if not _has_type(value, str(known[key].type)):
            raise MindrailError(f"{key} is {value!r}, not {known[key].type}", where=where)
    missing = {"model", "data", "output", "steps", "batch_size"} - raw.keys()
    if missing:
        raise MindrailError(f"has no {', '.join(sorted(missing))}", where=where)
    return raw


def _has_type(value: Any, name: str) -> bool:
    if name == "tuple[int, ...]":
        return isinstance(value, list) and all(_has_type(one, "int") for one in value)
    types: dict[str, tuple[type, ...]] = {
        "str": (str,),
        "int": (int,),
        "float": (int, float),
        "Layout": (dict,),
    }
    return (
        isinstance(value, bool)
        if name == "bool"
        else isinstance(value, types[name]) and type(value) is not bool
    )
