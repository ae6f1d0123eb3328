"""The sections about evaluation: how a model is asked, and how its answers are executed and counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from modelcore.config.environment import MindSporeSet, Variables
from modelcore.config.limits import MEMORY_MB, TIMEOUT
from modelcore.config.section import (
    Name,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Seconds,
    Section,
    suggest,
)
from modelcore.config.training import Cluster

__all__ = [
    "NEW_OPTIONS",
    "TEMPLATES_OF_ROWS",
    "BenchmarkName",
    "Decoding",
    "Generate",
    "Isolation",
    "Precision",
    "Prediction",
    "Score",
    "TemplateName",
]

BenchmarkName = Annotated[str, suggest(("humaneval", "mbpp"), "benchmark", "file")]
Precision = Literal["auto", "keep", "fp16", "bf16", "fp32"]
Isolation = Literal["landlock", "user_namespaces", "namespaces"]
TemplateName = Literal[
    "base",
    "base-stripped",
    "base-mbpp",
    "wizardcoder",
    "alpaca",
    "llama",
    "codellama-instruct",
    "deepseek",
    "deepseek-instruct",
    "qwen-instruct",
]

_BASE: tuple[TemplateName, ...] = ("base", "base-stripped", "base-mbpp")
TEMPLATES_OF_ROWS: Mapping[str, tuple[TemplateName, ...]] = {
    "wizardcoder": ("wizardcoder", "alpaca"),
    "llama": ("llama",),
    "codellama-instruct": ("codellama-instruct",),
    "deepseek": ("deepseek",),
    "chatml": ("qwen-instruct",),
    "wiki": _BASE,
    "text": _BASE,
}
"""For each row format, the templates that ask a model as it was trained on such rows; the first by default.

WizardCoder's authors train with the prompt of `alpaca` and evaluate with that of `wizardcoder`, which has one
blank line more, and a tab for four spaces.
"""


NEW_OPTIONS = ("top_k", "repetition_penalty", "min_new_tokens", "long_prompts", "model_parallel")
"""Options of `Decoding` that are in the keys of scored answers only where they are not the default."""


class Decoding(Section):
    """How answers are generated, whatever the question."""

    max_new_tokens: PositiveInt = Field(512, description="Tokens after which an answer is cut")
    batch_size: PositiveInt = Field(16, description="Answers generated side by side")
    precision: Precision = Field(
        "auto",
        description=(
            "Type of the weights in memory; all products are float32. keep: the checkpoint's; fp32: of twice "
            "the size and the fastest on CPU; auto: fp32 if that fits, else keep. These three give the same "
            "answers; fp16 and bf16 round wider weights"
        ),
    )
    samples: PositiveInt = Field(1, description="Answers per problem")
    temperature: NonNegativeFloat = Field(0.0, description="Temperature of sampling; 0 is greedy")
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = Field(
        1.0, description="Probability mass of the most likely tokens that one is sampled from"
    )
    top_k: NonNegativeInt = Field(0, description="Most likely tokens that one is sampled from; 0: all")
    repetition_penalty: PositiveFloat = Field(
        1.0, description="Divides the positive logits of tokens that came before, multiplies negative ones"
    )
    min_new_tokens: NonNegativeInt = Field(0, description="Tokens before which no end token is chosen")
    model_parallel: PositiveInt = Field(
        1,
        description=(
            "Processes, with a device each, among which every layer's tensors are divided (tensor parallel); "
            "all on this host"
        ),
    )
    long_prompts: Literal["refuse", "cut"] = Field(
        "refuse",
        description=(
            "A prompt that fills the model's context: refuse it, or cut its left until the answer fits"
        ),
    )

    def changed_options(self) -> dict[str, object]:
        """Return the options that are newer than the artifacts' keys, where they are not the default."""
        return {
            name: value
            for name in NEW_OPTIONS
            if (value := getattr(self, name)) != Decoding.model_fields[name].default
        }

    @property
    def rounds_weights(self) -> bool:
        """Whether the answers may depend on `precision`."""
        return self.precision in ("fp16", "bf16")

    @model_validator(mode="after")
    def _samples_differ(self) -> Decoding:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(f"{self.samples} greedy samples are all the same: give a temperature above 0")
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(
                f"min_new_tokens {self.min_new_tokens} is above max_new_tokens {self.max_new_tokens}"
            )
        return self


class Generate(Decoding):
    """What the model is asked, and how its answers are generated."""

    benchmark: BenchmarkName = Field(description="humaneval, mbpp, or a file in HumanEval's or MBPP's format")
    template: TemplateName | None = Field(
        None,
        description=(
            "Prompt template, and the answer extractor that goes with it; by default, that of the rows the "
            "model is trained on or, for a model of `mindrail models`, the one it was published with"
        ),
    )
    endpoint: Annotated[str, Field(pattern=r"^https?://[^@/]+(/[^@?#]*)?$")] | None = Field(
        None,
        description=(
            "Address of an OpenAI-compatible server whose model answers instead (http://127.0.0.1:8000/v1); "
            "the key, if it wants one, comes from the environment variable MINDRAIL_ENDPOINT_KEY"
        ),
    )
    endpoint_model: Name | None = Field(
        None, description="The model's name on the endpoint; by default the only one that it serves"
    )
    endpoint_chat: bool = Field(
        False,
        description="Send prompts to the endpoint as chat messages, for its model's own chat template",
    )
    endpoint_secret: Name | None = Field(
        None, description="Name of the Prefect Secret that holds the endpoint's key"
    )
    endpoint_timeout: Annotated[Seconds, Field(gt=0)] = Field(
        600.0, description="Seconds that an answer of the endpoint may take"
    )
    environment_set: MindSporeSet | None = Field(
        None, description="A model card's environment variables, exported on Ascend (docs/ascend.md)"
    )
    environment: Variables = Field(default_factory=dict)
    cluster: Cluster | None = Field(None, description="Generate on several hosts, through Ray")

    @model_validator(mode="after")
    def _has_an_endpoint(self) -> Generate:
        needing = ("endpoint_model", "endpoint_chat", "endpoint_secret")
        if self.endpoint is None and (given := [name for name in needing if getattr(self, name)]):
            raise ValueError(f"{', '.join(given)} without endpoint: give its address, too")
        if self.endpoint is not None and self.cluster is not None:
            raise ValueError("an endpoint answers, nothing is generated here: leave out cluster")
        return self

    @property
    def template_name(self) -> TemplateName:
        """The template to use: base if none is chosen."""
        return self.template or "base"


class Prediction(Decoding):
    """What a model is asked outside a benchmark: texts to continue, or gaps to fill in."""

    prompts: list[str] = Field(default_factory=list, description="Texts to continue")
    prompts_file: str | None = Field(
        None, description='JSON lines with "prompt", or "prefix" and "suffix"; "task_id" names a line'
    )
    prefix: str | None = Field(None, description="Text before a gap that the model fills in")
    suffix: str | None = Field(None, description="Text after the gap")
    stops: list[str] = Field(default_factory=list, description="Texts before which an answer ends")
    seed: NonNegativeInt = Field(1, description="Seed of sampled answers")

    @model_validator(mode="after")
    def _asks_something(self) -> Prediction:
        if (self.prefix is None) != (self.suffix is None):
            raise ValueError("prefix and suffix belong together: give both")
        given = (self.prompts != [], self.prompts_file is not None, self.prefix is not None)
        if sum(given) != 1:
            raise ValueError("give either prompts, or a file of prompts, or prefix and suffix")
        return self


class Score(Section):
    """How answers are executed and counted."""

    k: Annotated[list[Annotated[int, Field(ge=1, le=1_000_000)]], Field(min_length=1)] = Field(
        default_factory=lambda: [1], description="The k of pass@k"
    )
    workers: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="Answers executed side by side; by default one per core"
    )
    timeout: float = Field(
        TIMEOUT, gt=0, le=86_400, allow_inf_nan=False, description="Seconds that an answer may take"
    )
    memory_mb: int = Field(MEMORY_MB, ge=16, le=1 << 20, description="Memory that an answer may take, in MiB")
    require_isolation: Isolation | None = Field(
        None, description="Refuse to execute anything with less isolation than this"
    )
    cluster: Cluster | None = Field(None, description="Execute on several hosts, through Ray")
