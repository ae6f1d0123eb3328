"""The sections about training: the layout, the ranks' processes, the optimizer's steps."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from modelcore.config.environment import MindSporeSet, Variables
from modelcore.config.section import (
    Name,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Seconds,
    Section,
    Share,
    ShareBelowOne,
)
from modelcore.units import parse_bytes

__all__ = [
    "Cluster",
    "Launch",
    "Parallel",
    "Precision",
    "PrecisionChoice",
    "Sharding",
    "Train",
    "TrainOptions",
]

Precision = Literal["fp32", "bf16", "fp16"]
PrecisionChoice = Literal["auto", "fp32", "bf16", "fp16"]


def _ends_somewhere(steps: int) -> int:
    if steps == 0:
        raise ValueError("0 steps are no schedule: give -1 for the run's own number of steps")
    return steps


WarmupSteps = Annotated[NonNegativeInt, Field(description="Steps of linear warm-up before the cosine")]
TotalSteps = Annotated[
    int,
    Field(
        ge=-1,
        description="Step from which the learning rate stays at its final rate; -1: the run's last step",
    ),
    AfterValidator(_ends_somewhere),
]


class Sharding(Section):
    """How a model is divided among ranks, in MindFormers' words: decides which tensor is where."""

    data_parallel: PositiveInt = Field(1, description="Replicas of the model, each with a part of the batch")
    model_parallel: PositiveInt = Field(
        1, description="Ranks that share each layer's matrices (tensor parallel)"
    )
    pipeline_stage: PositiveInt = Field(1, description="Stages that share the layers")
    offset: list[int] = Field(
        default_factory=list,
        description=(
            "For each stage, how many layers more (or fewer) than layers // pipeline_stage it takes, "
            "e.g. 0,0,1,1"
        ),
    )
    vocab_emb_dp: bool = Field(False, description="Keep embedding and head whole on every rank")
    shard_optimizer: bool = Field(
        False,
        description="Replicas share the optimizer's states (ZeRO-1; MindFormers: enable_parallel_optimizer)",
    )

    @property
    def world_size(self) -> int:
        """Number of ranks."""
        return self.data_parallel * self.model_parallel * self.pipeline_stage

    @model_validator(mode="after")
    def _offsets_are_of_stages(self) -> Sharding:
        if self.offset and len(self.offset) != self.pipeline_stage:
            raise ValueError(
                f"offset has {len(self.offset)} numbers, pipeline_stage is {self.pipeline_stage}"
            )
        return self


class Parallel(Sharding):
    """The distributed layout, in MindFormers' words."""

    micro_batch_num: PositiveInt = Field(
        1, description="Micro-batches per step with several stages; with one stage: train.accumulate"
    )
    recompute: bool = Field(
        False, description="Compute activations again in the backward pass instead of keeping them"
    )

    @model_validator(mode="after")
    def _micro_batches_are_of_stages(self) -> Parallel:
        if self.micro_batch_num > 1 and self.pipeline_stage == 1:
            raise ValueError(
                f"micro_batch_num {self.micro_batch_num} is for several stages; with one: train.accumulate"
            )
        return self


class Cluster(Section):
    """The hosts of a Ray cluster. Without this section all work is done on this host."""

    address: Name = Field(
        "auto", description="Of the Ray cluster: auto (the one this host belongs to) or ray://HOST:10001"
    )
    hosts: PositiveInt = Field(description="Hosts that the ranks are spread over")
    ranks_per_host: PositiveInt = Field(1, description="Ranks on each host")
    resources: dict[str, PositiveFloat] = Field(
        default_factory=dict,
        description="What must be free on each host, by Ray's names, e.g. {NPU: 8}; one CPU if not given",
    )
    spare_wait: Seconds = Field(
        600.0, description="Time to wait for enough hosts, at first and after a loss: seconds, or e.g. 10min"
    )
    lease: PositiveFloat = Field(
        5.0,
        description="Seconds of silence after which a host is given up; it then ends its own ranks, too",
    )
    shared: Literal["auto", "required"] = Field(
        "auto",
        description=(
            "Whether all hosts must see the store: auto copies to a host that does not what its ranks need, "
            "and back; required refuses such a host"
        ),
    )
    host_retries: NonNegativeInt = Field(
        10, description="How often a job that lost a host is started again from its last checkpoint"
    )
    retry_delay: NonNegativeFloat = Field(1.0, description="Seconds between two attempts")

    @property
    def world_size(self) -> int:
        """Number of ranks."""
        return self.hosts * self.ranks_per_host


class Launch(Section):
    """How the ranks are started and watched."""

    world_size: PositiveInt | None = Field(
        None,
        description="Ranks; if given, it must be data_parallel × model_parallel × pipeline_stage",
    )
    start_timeout: PositiveFloat = Field(180.0, description="Seconds until every rank must have joined")
    hang_timeout: PositiveFloat = Field(
        600.0, description="Seconds without progress after which the job is stopped"
    )
    device_memory: str | None = Field(
        None,
        description=(
            "Memory of each rank's device, e.g. 64GB: a run whose layout needs more is refused before work"
        ),
    )
    hang_steps: PositiveInt = Field(
        50,
        description=(
            "The same while steps are taken: the job is stopped when a step takes so many times as long as "
            "the last ones, and at least a minute"
        ),
    )
    retries: NonNegativeInt = Field(
        2, description="How often a job that lost a rank is started again from its last checkpoint"
    )
    retry_delay: NonNegativeFloat = Field(5.0, description="Seconds between two attempts")
    environment_set: MindSporeSet | None = Field(
        None, description="A model card's environment variables, exported on Ascend (docs/ascend.md)"
    )
    environment: Variables = Field(default_factory=dict)
    cluster: Cluster | None = Field(None, description="Run the ranks on several hosts, through Ray")

    @property
    def step_retries(self) -> int:
        """How often the whole step is tried again; a cluster's driver does it itself: it knows the hosts."""
        return 0 if self.cluster else self.retries

    @field_validator("device_memory")
    @classmethod
    def _is_a_size(cls, text: str | None) -> str | None:
        if text is not None:
            parse_bytes(text)
        return text

    @property
    def device_bytes(self) -> int | None:
        """The bytes of `device_memory`."""
        return None if self.device_memory is None else parse_bytes(self.device_memory)


class Updates(Section):
    """The optimizer's steps, whatever their number: batches, AdamW, checkpoints."""

    batch_size: PositiveInt = Field(8, description="Rows that a data-parallel replica takes at once")
    accumulate: PositiveInt = Field(
        1, description="Batches per step; with several stages: parallel.micro_batch_num"
    )
    learning_rate: PositiveFloat = Field(2e-5, description="Peak learning rate")
    final_rate: Share = Field(0.1, description="The cosine ends at this share of the peak learning rate")
    weight_decay: NonNegativeFloat = Field(
        0.0, description="AdamW's decay of matrices; norms and biases have none"
    )
    beta1: ShareBelowOne = Field(0.9, description="AdamW's decay of the mean of gradients")
    beta2: ShareBelowOne = Field(0.95, description="AdamW's decay of the mean of squared gradients")
    epsilon: PositiveFloat = Field(1e-8, description="Added to the root of that mean (AdamW's epsilon)")
    clip_norm: PositiveFloat = Field(1.0, description="Gradients are scaled down to this global norm")
    checkpoint_every: PositiveInt = Field(100, description="Steps between two checkpoints")
    keep: PositiveInt = Field(2, description="Checkpoints kept while training")
    validate_every: PositiveInt | None = Field(
        None,
        description=(
            "Steps between two losses on the rows that preprocess.validation holds back; at every checkpoint "
            "if not given"
        ),
    )
    peak_tflops: PositiveFloat | None = Field(
        None,
        description=(
            "Peak of one rank's device in TFLOP/s at this precision, as its maker publishes it; needed to "
            "report the share of it that is used (MFU)"
        ),
    )


class FixedLength(Section):
    """The length of a training and of its learning rate's schedule."""

    steps: PositiveInt = Field(description="Optimizer steps")
    warmup_steps: WarmupSteps = 0
    total_steps: TotalSteps = -1


class TrainOptions(Updates, FixedLength):
    """What every rank of a training job is given."""

    precision: Precision = Field("fp32", description="Arithmetic of the matrix products")

    @property
    def schedule_steps(self) -> int:
        """The step at which the cosine ends."""
        return self.steps if self.total_steps == -1 else self.total_steps

    @model_validator(mode="after")
    def _warms_up_in_time(self) -> TrainOptions:
        _check_warmup(self.warmup_steps, self.schedule_steps)
        return self


class Length(Section):
    """The length of a training: a number of steps, or of epochs, whose steps the number of rows decides."""

    steps: PositiveInt | None = Field(None, description="Optimizer steps; or give epochs")
    epochs: PositiveInt | None = Field(
        None, description="Times that the rows are trained on, of rows // rows per step steps each"
    )
    warmup_steps: WarmupSteps = 0
    warmup_ratio: ShareBelowOne | None = Field(
        None, description="Share of the schedule's steps that is warm-up, rounded down; or give warmup_steps"
    )
    total_steps: TotalSteps = -1

    @model_validator(mode="after")
    def _has_one_length(self) -> Length:
        if self.steps is None and self.epochs is None:
            raise ValueError("steps or epochs must be given")
        if self.steps is not None and self.epochs is not None:
            raise ValueError(
                f"steps is {self.steps} and epochs is {self.epochs}: leave one out (or set it to null)"
            )
        if self.warmup_ratio is not None and self.warmup_steps:
            raise ValueError(
                f"warmup_steps is {self.warmup_steps} and warmup_ratio is {self.warmup_ratio}: leave one out"
            )
        if self.steps is not None:
            self.length(self.steps)
        return self

    def length(self, steps: int) -> dict[str, int]:
        """Return `steps`, `warmup_steps` and `total_steps` of a training of so many steps.

        As MindFormers' schedules do, the ratio is of the schedule's steps, and rounded down.

        Raises:
            ValueError: the warm-up does not end before the schedule.
        """
        end = steps if self.total_steps == -1 else self.total_steps
        warmup = self.warmup_steps if self.warmup_ratio is None else int(end * self.warmup_ratio)
        _check_warmup(warmup, end)
        return {"steps": steps, "warmup_steps": warmup, "total_steps": -1 if end == steps else end}


class Train(Updates, Length):
    """The training itself: steps, batches, AdamW, checkpoints."""

    precision: PrecisionChoice = Field(
        "fp32",
        description=(
            "Arithmetic of the matrix products; fp16 with a dynamic loss scale; auto: bf16 where this "
            "machine's processor has its products in hardware (AMX, AVX-512) and on Ascend, else fp32"
        ),
    )
    resume_from: str | None = Field(
        None,
        description=(
            "Directory of an interrupted run, or one checkpoint of it, at any layout, to resume from"
        ),
    )

    def options(self, steps: int) -> TrainOptions:
        """Return what the ranks of a training of so many steps are given; raise ValueError as `length`.

        Which precision `auto` is must have been chosen before.
        """
        updates: dict[str, Any] = {name: getattr(self, name) for name in Updates.model_fields}
        return TrainOptions(**updates | self.length(steps) | {"precision": self.precision})


def _check_warmup(warmup: int, end: int) -> None:
    if warmup >= end:
        raise ValueError(f"warmup_steps {warmup} leaves nothing of the {end} steps")
