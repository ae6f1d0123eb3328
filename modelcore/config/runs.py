"""What the YAML of each kind of run may say: its own keys, its sections, and the rules between them.

The same classes give the form on Prefect's dashboard, so the descriptions are written for a person
filling it in. Nothing here reads files: what depends on them is checked by `tasks.preflight`.
"""

from __future__ import annotations

from typing import Any, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from modelcore.config.checkpoint import Convert, Download, Export, Merge
from modelcore.config.data import Preprocess, TextFormat
from modelcore.config.evaluation import TEMPLATES_OF_ROWS, Generate, Score, TemplateName
from modelcore.config.section import Name, NonNegativeInt, PositiveInt, Section
from modelcore.config.training import Launch, Parallel, Train
from modelcore.errors import MindrailError

__all__ = ["RUNS", "Evaluate", "Finetune", "Pipeline", "Predict", "Pretrain", "Run", "Training"]

_OF_NO_WEIGHT = {"checkpoint_every", "keep", "validate_every", "peak_tflops"}


class Run(Section):
    """What every run says."""

    name: Name = Field("run", description="Shown on the report and as the run's name")
    store: Name = Field(
        "store", description="Directory or s3://bucket/prefix that holds every step's output and the history"
    )


class Predict(Run):
    """A model that is too large for one device, divided to generate with."""

    name: Name = Field("predict", description="Shown as the run's name")
    download: Download
    convert: Convert = Field(default_factory=Convert)
    parallel: Parallel = Field(default_factory=Parallel)
    batch_size: PositiveInt = Field(16, description="Answers generated side by side")
    seq_length: PositiveInt = Field(2048, description="Tokens of a prompt and its answer together")

    @model_validator(mode="after")
    def _tensor_parallel_only(self) -> Predict:
        layout = self.parallel
        if layout.data_parallel > 1 or layout.pipeline_stage > 1:
            raise ValueError("to generate, a model is divided by parallel.model_parallel only")
        return self


class Evaluate(Run):
    """The score of existing checkpoints."""

    name: Name = Field("evaluate", description="Shown on the report and in the history")
    seed: NonNegativeInt = Field(1, description="Seed of sampled answers")
    checkpoints: list[Name] = Field(
        default_factory=lambda: ["newest"],
        description=(
            "None with generate.endpoint; else "
            "directories (MindSpore's or Hugging Face's), models of `mindrail models`, hf:// or https:// "
            "sources, `newest` (trained checkpoint of the store when the run starts) or `newest:DIRECTORY` "
            "(in that directory)"
        ),
    )
    convert: Convert = Field(default_factory=Convert)
    generate: Generate = Field(default_factory=lambda: Generate(benchmark="humaneval"))
    score: Score = Field(default_factory=Score)

    @model_validator(mode="after")
    def _knows_who_answers(self) -> Evaluate:
        if self.generate.endpoint is not None and self.checkpoints:
            raise ValueError("generate.endpoint answers instead of checkpoints: give checkpoints: []")
        if self.generate.endpoint is None and not self.checkpoints:
            raise ValueError("checkpoints is empty: name one, or a generate.endpoint")
        return self

    @model_validator(mode="after")
    def _has_enough_samples(self) -> Evaluate:
        _check_k(self.generate, self.score)
        return self


class Training(Run):
    """What every run that trains says."""

    seed: NonNegativeInt = Field(
        1, description="Seed of the order of samples, of sampling and of random weights"
    )
    download: Download
    convert: Convert = Field(default_factory=Convert)
    preprocess: Preprocess
    parallel: Parallel = Field(default_factory=Parallel)
    launch: Launch = Field(default_factory=Launch)
    train: Train
    merge: Merge = Field(default_factory=Merge)
    export: Export = Field(default_factory=Export)

    @model_validator(mode="after")
    def _starts_every_rank(self) -> Training:
        layout, world_size = self.parallel, self.launch.world_size
        if world_size is not None and world_size != layout.world_size:
            raise ValueError(
                f"launch.world_size is {world_size}, but parallel gives data_parallel "
                f"{layout.data_parallel} × model_parallel {layout.model_parallel} × pipeline_stage "
                f"{layout.pipeline_stage} = {layout.world_size}"
            )
        return self

    @model_validator(mode="after")
    def _has_hosts_for_every_rank(self) -> Training:
        cluster, world_size = self.launch.cluster, self.parallel.world_size
        if cluster is not None and cluster.world_size != world_size:
            raise ValueError(
                f"launch.cluster has hosts {cluster.hosts} × ranks_per_host {cluster.ranks_per_host} = "
                f"{cluster.world_size} ranks, but parallel gives {world_size}"
            )
        return self

    @model_validator(mode="after")
    def _looks_at_the_processor_it_uses(self) -> Training:
        if self.launch.cluster is not None and self.train.precision == "auto":
            raise ValueError(
                "train.precision auto follows this machine's processor, launch.cluster's hosts may have "
                "others: give bf16, fp16 or fp32"
            )
        return self

    @model_validator(mode="after")
    def _divides_a_step_one_way(self) -> Training:
        stages, accumulate = self.parallel.pipeline_stage, self.train.accumulate
        if stages > 1 and accumulate > 1:
            raise ValueError(
                f"train.accumulate is {accumulate}, but with {stages} stages it is parallel.micro_batch_num "
                "that says how many batches make a step"
            )
        return self

    @model_validator(mode="after")
    def _holds_rows_back_to_validate(self) -> Training:
        if self.train.validate_every is not None and not self.preprocess.validation:
            raise ValueError(
                f"train.validate_every is {self.train.validate_every}, but preprocess.validation is 0: "
                "no row is held back"
            )
        return self

    @property
    def micro_batches(self) -> int:
        """Batches that a data-parallel replica takes in a step, one after the other."""
        layout = self.parallel
        return layout.micro_batch_num if layout.pipeline_stage > 1 else self.train.accumulate

    @property
    def global_batch(self) -> int:
        """Rows of a step: batch_size × data_parallel × micro_batch_num (or accumulate, with one stage)."""
        return self.train.batch_size * self.parallel.data_parallel * self.micro_batches

    def with_rows(self, rows: int) -> Training:
        """Return the run with a number of steps where it has epochs.

        An epoch is as many whole steps as the rows make, as in MindFormers; the steps after it begin with the
        rows that are left over.

        Args:
            rows: that are trained on.

        Raises:
            MindrailError: the rows are less than a step takes, or the warm-up does not end.
        """
        if self.train.epochs is None:
            return self
        steps = self.train.epochs * (rows // self.global_batch)
        if not steps:
            raise MindrailError(
                f"{rows} rows are less than the {self.global_batch} of one step",
                where="train.epochs",
                fix="give more data, or lower train.batch_size",
            )
        try:
            length = self.train.length(steps)
        except ValueError as error:
            epochs = f"{self.train.epochs} × ({rows} rows // {self.global_batch})"
            raise MindrailError(f"{error} (epochs: {epochs})", where="train") from error
        fixed = {**length, "epochs": None, "warmup_ratio": None}
        return self.model_copy(update={"train": self.train.model_copy(update=fixed)})

    @property
    def key_parameters(self) -> dict[str, Any]:
        """What the trained weights depend on: the parameters in the key of their artifact.

        A run with epochs has none until `with_rows` has made steps of them.
        """
        assert self.train.steps is not None
        validation = {} if self.validate_every is None else {"validate_every": self.validate_every}
        options = self.train.options(self.train.steps)
        schedule = {"total_steps"} if options.total_steps == -1 else set()  # absent, as in keys from before
        return {
            "train": options.model_dump(exclude=_OF_NO_WEIGHT | schedule),
            **validation,
            "parallel": self.parallel.model_dump(exclude={"recompute"}),
            "seed": self.seed,
        }

    @property
    def validate_every(self) -> int | None:
        """Steps between two validation losses; None if no rows are held back for them."""
        every = self.train.validate_every or self.train.checkpoint_every
        return every if self.preprocess.validation else None


class Finetune(Training):
    """Fine-tuning alone, from a Hugging Face checkpoint to the tuned one."""

    name: Name = Field("finetune", description="Shown on the report and as the run's name")


class Pretrain(Training):
    """Training on texts, from a checkpoint or from random weights."""

    name: Name = Field("pretrain", description="Shown on the report and as the run's name")
    random_weights: bool = Field(
        False, description="Start from random weights: only config.json and tokenizer of the source are used"
    )

    @model_validator(mode="after")
    def _trains_on_texts(self) -> Pretrain:
        if self.preprocess.input and self.preprocess.format not in get_args(TextFormat):
            raise ValueError(
                f"preprocess.format is {self.preprocess.format}, for instructions; texts are wiki or text"
            )
        return self


class Pipeline(Training):
    """The whole pipeline, from a Hugging Face checkpoint to pass@k."""

    name: Name = Field("pipeline", description="Shown on the report and as the run's name")
    baseline: bool = Field(True, description="Score the checkpoint before training, too")
    baseline_template: TemplateName | None = Field(
        None,
        description=(
            "Prompt template of the score before training; by default, the model's own if it is one of "
            "`mindrail models` (base for a base model), and else generate.template"
        ),
    )
    generate: Generate
    score: Score = Field(default_factory=Score)

    @field_validator("generate")
    @classmethod
    def _asks_as_trained(cls, generate: Generate, info: ValidationInfo) -> Generate:
        preprocess: Preprocess | None = info.data.get("preprocess")  # None if it is wrong itself
        if generate.template is not None or preprocess is None:
            return generate
        return generate.model_copy(update={"template": TEMPLATES_OF_ROWS[preprocess.format][0]})

    @model_validator(mode="after")
    def _asks_one_model(self) -> Pipeline:
        if self.generate.endpoint is not None and self.baseline:
            raise ValueError(
                "generate.endpoint answers with one model, which cannot be that before and that after "
                "training: give baseline: false"
            )
        return self

    @model_validator(mode="after")
    def _has_enough_samples(self) -> Pipeline:
        _check_k(self.generate, self.score)
        return self


def _check_k(generate: Generate, score: Score) -> None:
    if max(score.k) > generate.samples:
        raise ValueError(f"score.k has {max(score.k)}, but generate.samples is {generate.samples}")


RUNS: dict[str, type[Run]] = {
    "pipeline": Pipeline,
    "finetune": Finetune,
    "pretrain": Pretrain,
    "evaluate": Evaluate,
    "predict": Predict,
}
"""Every kind of run that has a YAML, by its name on the command line."""
