"""The section about training data: how records become rows."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from modelcore.config.section import (
    Flag,
    NonNegativeInt,
    Paths,
    PositiveInt,
    Section,
    Share,
    ShareBelowOne,
)
from modelcore.config.training import Cluster

__all__ = ["MINDFORMERS_FORMATS", "InstructionFormat", "Preprocess", "RowOptions", "TextFormat"]

InstructionFormat = Literal["wizardcoder", "llama", "codellama-instruct", "deepseek", "chatml"]
TextFormat = Literal["wiki", "text"]
RowFormat = Literal[InstructionFormat, TextFormat]

MINDFORMERS_FORMATS = ("wizardcoder", "deepseek", "llama", "wiki")
"""The formats that MindFormers has, too: `compat: mindformers` can reproduce its rows of them."""

_WITH_MINDFORMERS = {
    "input",
    "format",
    "seq_length",
    "compat",
    "strict",
    "max_truncated",
    "skip_bad",
    "pad_id",
    "rows_per_file",
}


_WITH_ROWS = {"format", "seq_length", "pad_id", "validation"}


class RowOptions(Section):
    """What decides the rows, apart from the data and the tokenizer."""

    format: RowFormat = Field(
        "wizardcoder", description="Row format: the prompt's text, what is trained on and what is masked"
    )
    seq_length: PositiveInt = Field(
        512, description="Tokens per row that the model reads; a row holds one more, for the shifted labels"
    )
    pad_id: NonNegativeInt | None = Field(
        None,
        description=(
            "Id of the token that fills rows up; by default the vocabulary's padding token, else its unknown "
            "token, else the one that ends an answer"
        ),
    )
    compat: Literal["model", "mindformers"] = Field(
        "model",
        description="Rows as the model was trained on, or as MindFormers writes them, faults included",
    )
    strict: bool = Field(False, description="Fail if any record is truncated, dropped or wholly masked")
    max_truncated: Share = Field(
        1.0, description="Fail if a larger share of the samples than this is truncated (0 to 1)"
    )
    skip_bad: bool = Field(False, description="Leave out records that cannot be read, and count them")
    pack: bool = Field(False, description="Put several samples into a row; training keeps them apart")
    validation: ShareBelowOne = Field(
        0.0, description="Share of the samples to hold back for validation, chosen by a hash of their content"
    )
    drop_duplicates: bool = Field(False, description="Keep only the first of samples with equal content")
    near_duplicates: Literal["ignore", "report", "drop"] = Field(
        "ignore", description="What to do with samples that are nearly equal (MinHash)"
    )
    near_threshold: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = Field(
        0.8, description="Share of common word shingles from which two samples count as nearly equal"
    )
    benchmarks: Annotated[list[str], Flag("--against")] = Field(
        default_factory=list, description="Benchmark file to look for in the data"
    )
    contaminated: Literal["report", "drop", "fail"] = Field(
        "report", description="What to do with samples that share text with a benchmark"
    )
    ngram: Annotated[int, Field(ge=3)] = Field(
        13,  # as GPT-3's authors chose
        description="Words in a row that two texts must share to count as shared text",
    )

    @model_validator(mode="after")
    def _texts_are_not_packed(self) -> RowOptions:
        if self.pack and self.format in get_args(TextFormat):
            raise ValueError(f"pack is true, but format {self.format} fills its rows anyway: leave pack out")
        return self

    @model_validator(mode="after")
    def _mindformers_has_it(self) -> RowOptions:
        if self.compat != "mindformers":
            return self
        if self.format not in MINDFORMERS_FORMATS:
            raise ValueError(
                f"compat is mindformers, but format {self.format} is none of MindFormers': "
                f"{', '.join(MINDFORMERS_FORMATS)}"
            )
        changed = [
            name
            for name, field in type(self).model_fields.items()
            if name not in _WITH_MINDFORMERS
            and getattr(self, name) != field.get_default(call_default_factory=True)
        ]
        if changed:
            raise ValueError(f"compat is mindformers, which has no {', '.join(changed)}: use compat: model")
        return self


class Preprocess(RowOptions):
    """How training data becomes MindRecord rows."""

    input: Paths = Field(
        default_factory=list,
        description=(
            "Alpaca records, conversations or texts (JSON list or JSON lines, .gz too), or wikitext: a file, "
            "directory or pattern, or a list of them"
        ),
    )
    rows: Paths = Field(
        default_factory=list,
        description=(
            "MindRecord rows instead of input, of this project or of MindFormers: a file, directory or "
            "pattern, or a list of them"
        ),
    )
    cluster: Cluster | None = Field(None, description="Tokenize on several hosts, through Ray")

    @model_validator(mode="after")
    def _has_one_source(self) -> Preprocess:
        if bool(self.input) == bool(self.rows):
            what = "both input and rows are given" if self.rows else "neither input nor rows is given"
            raise ValueError(f"{what}: give one of them (an empty list takes a YAML's away)")
        changed = [
            name
            for name, field in RowOptions.model_fields.items()
            if name not in _WITH_ROWS and getattr(self, name) != field.get_default(call_default_factory=True)
        ]
        if self.rows and changed:
            raise ValueError(f"rows are given, which are as they are: leave out {', '.join(changed)}")
        if self.rows and self.cluster is not None:
            raise ValueError("rows are given, of which nothing is tokenized: leave out cluster")
        if self.rows and "format" not in self.model_fields_set:
            raise ValueError("rows are given: say their format, which decides how the trained model is asked")
        return self
