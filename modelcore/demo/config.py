"""What the demo's YAML may say: a pipeline's keys, and what to generate as its inputs.

The pipeline itself knows nothing of it: `Demo.pipeline` returns an ordinary configuration whose paths lead
to the generated files.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from modelcore.config.runs import Pipeline
from modelcore.config.section import NonNegativeInt, PositiveInt, Section

__all__ = ["Demo", "FirstPrograms", "SmallLlama"]


class SmallLlama(Section):
    """The demo's llama, with random weights."""

    hidden_size: PositiveInt = Field(128, description="Width of the residual stream")
    intermediate_size: PositiveInt = Field(384, description="Width of the feed-forward layer")
    num_layers: PositiveInt = Field(4, description="Transformer blocks")
    num_heads: PositiveInt = Field(4, description="Attention heads")
    num_kv_heads: PositiveInt = Field(2, description="Key and value heads (fewer: grouped-query attention)")
    max_positions: PositiveInt = Field(512, description="Longest prompt and answer together, in tokens")

    @model_validator(mode="after")
    def _heads_divide(self) -> SmallLlama:
        if self.hidden_size % self.num_heads:
            raise ValueError(f"hidden_size {self.hidden_size} is no multiple of num_heads {self.num_heads}")
        if self.num_heads % self.num_kv_heads:
            raise ValueError(f"num_heads {self.num_heads} is no multiple of num_kv_heads {self.num_kv_heads}")
        return self


class FirstPrograms(Section):
    """What to generate: training programs, a benchmark and a random model to start from."""

    programs: PositiveInt = Field(8000, description="Training rows to write")
    problems: PositiveInt = Field(80, description="Problems of the benchmark, none of them among the rows")
    seed: NonNegativeInt = Field(7, description="Seed of the programs and of the random weights")
    vocab_size: PositiveInt = Field(1024, description="Entries of the tokenizer trained on the programs")
    model: SmallLlama = Field(default_factory=SmallLlama)


class Demo(Pipeline):
    """A pipeline run that generates its own inputs first."""

    first_programs: FirstPrograms = Field(default_factory=FirstPrograms)

    def pipeline(self, generated: Path) -> Pipeline:
        """Return the pipeline's configuration, with the paths of the generated files in it.

        Args:
            generated: absolute path of a directory that `write_first_programs` filled. Where
                `download.source`, `preprocess.input`, `preprocess.benchmarks` or `generate.benchmark` name
                a file in it, that file's path is put in; anything else stays as it is.
        """

        def path_of(name: str) -> str:
            path = generated / name
            return str(path) if path.exists() else name

        checkpoint = generated / self.download.source
        source = checkpoint.as_uri() if checkpoint.is_dir() else self.download.source
        data = {
            "input": [path_of(name) for name in self.preprocess.input],
            "benchmarks": [path_of(name) for name in self.preprocess.benchmarks],
        }
        values = {name: getattr(self, name) for name in Pipeline.model_fields}
        return Pipeline(
            **values
            | {
                "download": self.download.model_copy(update={"source": source}),
                "preprocess": self.preprocess.model_copy(update=data),
                "generate": self.generate.model_copy(update={"benchmark": path_of(self.generate.benchmark)}),
            }
        )
