"""What a run's YAML may say: one section a step, every key with its meaning, unit and bounds.

The same classes give the form on Prefect's dashboard, so the descriptions are written for a person
filling it in. Checks that need a model's config.json are in `layout_fits`; nothing here reads files.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Convert",
    "Download",
    "Evaluate",
    "Generate",
    "Launch",
    "Parallel",
    "Pipeline",
    "Predict",
    "Preprocess",
    "Pretrain",
    "Score",
    "Train",
    "Training",
]

Whole = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Section(BaseModel):
    """Unknown keys and wrong types are mistakes, not warnings."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Download(Section):
    """Where the Hugging Face checkpoint comes from."""

    source: str = Field(description="A model of `mindrail models`, hf://owner/name, https://…/ or file:///…/")
    revision: str | None = Field(None, description="Branch, tag or commit on the hub")
    endpoint: str | None = Field(None, description="A mirror of the hub")
    offline: bool = Field(False, description="Take a hub's files from this machine's Hugging Face cache")
    token_secret: str | None = Field(None, description="Name of the Prefect Secret that holds the hub token")
    sha256: dict[str, str] = Field(default_factory=dict, description="Digests to check, by file name")


class Convert(Section):
    """How the weights are written for MindSpore."""

    format: Literal["ckpt", "safetensors"] = Field("ckpt", description="File format of the weights")
    dtype: Literal["keep", "fp16", "bf16", "fp32"] = Field(
        "keep", description="Cast the weights or keep them"
    )
    verify: bool = Field(False, description="Read both sides back and compare every tensor")


class Preprocess(Section):
    """How instruction data becomes MindRecord rows."""

    input: str = Field(description="Alpaca-format JSON or JSON lines, .gz too")
    format: Literal["wizardcoder", "llama", "codellama-instruct", "deepseek", "wiki", "text"] = Field(
        "wizardcoder", description="Row format: prompt text, what is trained and what is masked"
    )
    seq_length: Whole = Field(512, description="Tokens a row; rows are one longer, for the shifted labels")
    compat: Literal["model", "mindformers"] = Field(
        "model", description="Rows as the model was trained with, or as MindFormers wrote them"
    )
    strict: bool = Field(False, description="Fail if any record is truncated, dropped or wholly masked")
    skip_bad: bool = Field(False, description="Leave out records that cannot be read, and count them")
    pack: bool = Field(False, description="Put several samples into a row; training keeps them apart")
    validation: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(
        0.0, description="Share of the samples to hold back, chosen by a hash of their content"
    )
    drop_duplicates: bool = Field(False, description="Keep only the first of samples with equal content")
    near_duplicates: Literal["ignore", "report", "drop"] = Field(
        "ignore", description="What to do with samples that are nearly equal (MinHash)"
    )
    near_threshold: Share = Field(
        0.8, description="Share of word shingles that makes two samples nearly equal"
    )
    benchmarks: list[str] = Field(
        default_factory=list, description="Benchmark files that the data must not contain"
    )
    contaminated: Literal["report", "drop", "fail"] = Field(
        "report", description="What to do with samples that share text with a benchmark"
    )
    ngram: Annotated[int, Field(ge=3)] = Field(13, description="Words in a row that count as shared text")


class Parallel(Section):
    """The distributed layout, in MindFormers' words."""

    data_parallel: Whole = Field(1, description="Replicas, each with its part of the batch")
    model_parallel: Whole = Field(1, description="Ranks that share every layer's matrices (tensor parallel)")
    pipeline_stage: Whole = Field(1, description="Stages that share the layers")
    offset: list[int] = Field(
        default_factory=list,
        description="For each stage how many layers more (or fewer) than layers // pipeline_stage it takes",
    )
    micro_batch_num: Whole = Field(
        1, description="Micro-batches a step with several stages; with one stage: train.accumulate"
    )
    vocab_emb_dp: bool = Field(False, description="Keep embedding and head whole on every rank")
    shard_optimizer: bool = Field(
        False,
        description="Replicas share the optimizer's states (ZeRO-1; MindFormers: enable_parallel_optimizer)",
    )
    recompute: bool = Field(
        False, description="Compute activations again in the backward pass instead of keeping them"
    )

    @property
    def world_size(self) -> int:
        """Ranks in all."""
        return self.data_parallel * self.model_parallel * self.pipeline_stage

    @model_validator(mode="after")
    def _stages_agree(self) -> Parallel:
        if self.offset and len(self.offset) != self.pipeline_stage:
            raise ValueError(
                f"offset has {len(self.offset)} numbers, pipeline_stage is {self.pipeline_stage}"
            )
        if self.micro_batch_num > 1 and self.pipeline_stage == 1:
            raise ValueError(
                f"micro_batch_num {self.micro_batch_num} is for several stages; with one: train.accumulate"
            )
        return self


class Launch(Section):
    """How the ranks are started and watched."""

    world_size: Whole = Field(1, description="Ranks: data_parallel × model_parallel × pipeline_stage")
    start_timeout: Positive = Field(180.0, description="Seconds until every rank must have joined")
    hang_timeout: Positive = Field(600.0, description="Seconds without progress after which the job is ended")
    retries: Count = Field(2, description="How often a job that lost a rank goes on from its last checkpoint")
    retry_delay: Annotated[float, Field(ge=0)] = Field(5.0, description="Seconds between two attempts")


class Train(Section):
    """The fine-tune itself."""

    steps: Whole = Field(description="Optimizer steps")
    batch_size: Whole = Field(8, description="Rows a data-parallel replica takes at once")
    accumulate: Whole = Field(
        1, description="How many such batches make a step; with several stages: parallel.micro_batch_num"
    )
    learning_rate: Positive = Field(2e-5, description="Peak learning rate")
    warmup_steps: Count = Field(0, description="Steps of linear warm-up before the cosine")
    final_rate: Share = Field(0.1, description="The cosine ends at this share of the peak")
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(0.0, description="AdamW's decay")
    beta1: Share = 0.9
    beta2: Share = 0.95
    epsilon: Positive = 1e-8
    clip_norm: Positive = Field(1.0, description="Gradients are scaled down to this global norm")
    precision: Literal["fp32", "bf16", "fp16"] = Field(
        "fp32", description="Arithmetic of the matrix products; fp16 with a dynamic loss scale"
    )
    checkpoint_every: Whole = Field(100, description="Steps between two checkpoints")
    keep: Whole = Field(2, description="Checkpoints kept while training")
    validate_every: Whole | None = Field(
        None,
        description=(
            "Steps between two losses of the rows that preprocess.validation holds back; at every checkpoint "
            "if not given"
        ),
    )
    peak_tflops: Positive | None = Field(
        None,
        description=(
            "Peak of one rank's device in TFLOP/s at this precision, as its maker publishes it: with it the "
            "share made use of (MFU) is told"
        ),
    )
    resume_from: str | None = Field(
        None,
        description="Directory of an interrupted run, or one checkpoint of it, at any layout, to go on from",
    )

    @model_validator(mode="after")
    def _warms_up_in_time(self) -> Train:
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps {self.warmup_steps} leaves nothing of the {self.steps} steps")
        return self


class Generate(Section):
    """How completions are drawn."""

    benchmark: str = Field(description="humaneval, mbpp, or a file in HumanEval's or MBPP's form")
    template: str = Field("wizardcoder", description="Prompt template and answer extractor")
    max_new_tokens: Whole = Field(512, description="Tokens after which an answer is cut")
    batch_size: Whole = Field(16, description="Answers generated side by side")
    samples: Whole = Field(1, description="Answers a problem")
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(0.0, description="0 is greedy")
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="Nucleus the tokens are drawn from")

    @model_validator(mode="after")
    def _samples_differ(self) -> Generate:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"{self.samples} greedy samples are all the same: give a temperature above 0")
        return self


class Score(Section):
    """How answers are executed and counted."""

    k: list[Whole] = Field(default_factory=lambda: [1], description="The k of pass@k")
    workers: Whole | None = Field(None, description="Answers executed side by side; all cores if not given")
    timeout: Positive = Field(3.0, description="Seconds an answer may take")
    memory_mb: Whole = Field(1024, description="Memory an answer may take, in MiB")
    require_isolation: Literal["landlock", "user_namespaces", "namespaces"] | None = Field(
        None, description="Refuse to execute anything with less isolation than this"
    )


class Predict(Section):
    """A model too large for one device, divided to generate with."""

    name: str = Field("predict", description="Shown as the run's name")
    store: str = Field("store", description="Directory that holds every step's output")
    download: Download
    convert: Convert = Field(default_factory=Convert)
    parallel: Parallel = Field(default_factory=Parallel)
    batch_size: Whole = Field(16, description="Answers generated side by side")
    seq_length: Whole = Field(2048, description="Tokens of a prompt and its answer together")

    @model_validator(mode="after")
    def _tensor_parallel_only(self) -> Predict:
        layout = self.parallel
        if layout.data_parallel > 1 or layout.pipeline_stage > 1:
            raise ValueError("to generate, a model is divided by parallel.model_parallel only")
        return self


def _check_k(generate: Generate, score: Score) -> None:
    if max(score.k) > generate.samples:
        raise ValueError(f"score.k has {max(score.k)}, but generate.samples is {generate.samples}")


class Evaluate(Section):
    """A score for checkpoints that are there."""

    name: str = Field("evaluate", description="Shown on the report and in the history")
    seed: Count = Field(1, description="Seed of sampled answers")
    store: str = Field("store", description="Directory that holds every step's output and the history")
    checkpoints: Annotated[list[str], Field(min_length=1)] = Field(
        default_factory=lambda: ["newest"],
        description=(
            "Directories (MindSpore's or Hugging Face's), hf:// or https:// sources, `newest` (trained "
            "checkpoint of the store when the run starts) or `newest:DIRECTORY` (in that directory)"
        ),
    )
    convert: Convert = Field(default_factory=Convert)
    generate: Generate = Field(default_factory=lambda: Generate(benchmark="humaneval"))
    score: Score = Field(default_factory=Score)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Evaluate:
        _check_k(self.generate, self.score)
        return self


class Training(Section):
    """What every run that trains says."""

    name: str = Field("training", description="Shown as the run's name and on its report")
    seed: Count = Field(1, description="Seed of the sample order, of sampled answers and of random weights")
    store: str = Field("store", description="Directory that holds every step's output")
    download: Download
    convert: Convert = Field(default_factory=Convert)
    preprocess: Preprocess
    parallel: Parallel = Field(default_factory=Parallel)
    launch: Launch = Field(default_factory=Launch)
    train: Train

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Training:
        layout, asked = self.parallel, self.launch.world_size
        if asked != layout.world_size:
            raise ValueError(
                f"launch.world_size is {asked}, but parallel gives data_parallel {layout.data_parallel} × "
                f"model_parallel {layout.model_parallel} × pipeline_stage {layout.pipeline_stage} = "
                f"{layout.world_size}"
            )
        if layout.pipeline_stage > 1 and self.train.accumulate > 1:
            raise ValueError(
                f"train.accumulate is {self.train.accumulate}, but with {layout.pipeline_stage} stages it is "
                "parallel.micro_batch_num that says how many batches make a step"
            )
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

    @property
    def validate_every(self) -> int | None:
        """Steps between two validation losses; None if no rows are held back for them."""
        return (
            (self.train.validate_every or self.train.checkpoint_every) if self.preprocess.validation else None
        )


class Finetune(Training):
    """A fine-tune alone, from a Hugging Face checkpoint to the tuned one."""

    name: str = Field("finetune", description="Shown as the run's name")


class Pretrain(Training):
    """Training on texts, from a checkpoint or from random weights."""

    name: str = Field("pretrain", description="Shown as the run's name")
    random_weights: bool = Field(
        False, description="Learn from nothing: of the source only config.json and tokenizer are taken"
    )

    @model_validator(mode="after")
    def _learns_texts(self) -> Pretrain:
        if self.preprocess.format not in ("wiki", "text"):
            raise ValueError(
                f"preprocess.format is {self.preprocess.format}, for instructions; texts are wiki or text"
            )
        return self


class Pipeline(Training):
    """One run, from a Hugging Face checkpoint to pass@k."""

    name: str = Field("pipeline", description="Shown on the report and as the run's name")
    baseline: bool = Field(True, description="Score the checkpoint before training too")
    generate: Generate
    score: Score = Field(default_factory=Score)

    @model_validator(mode="after")
    def _has_enough_samples(self) -> Pipeline:
        if max(self.score.k) > self.generate.samples:
            raise ValueError(
                f"score.k has {max(self.score.k)}, but generate.samples is {self.generate.samples}"
            )
        return self
