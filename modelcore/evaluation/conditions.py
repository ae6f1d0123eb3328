"""The conditions of a score: everything that a verdict depends on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from modelcore.evaluation.benchmarks import Benchmark
from modelcore.evaluation.samples import SampleFormat, Summary
from modelcore.evaluation.templates import Template
from modelcore.sandbox.limits import Limits

__all__ = ["BenchmarkRecord", "Conditions", "SamplesRecord", "TemplateRecord", "conditions_of"]


@dataclass(frozen=True)
class BenchmarkRecord:
    """A benchmark's name, the SHA-256 of its uncompressed file, and its number of problems."""

    name: str
    digest: str
    problems: int


@dataclass(frozen=True)
class SamplesRecord:
    """The number of samples and the SHA-256 of their content."""

    rows: int
    digest: str


@dataclass(frozen=True)
class TemplateRecord:
    """A prompt template's name and version, and the name of its extractor."""

    name: str
    version: int
    extractor: str


@dataclass(frozen=True)
class Conditions:
    """Everything that a verdict depends on.

    Args:
        benchmark: the problems.
        samples: the completions.
        template: the prompt template that raw responses were read with, or None.
        standalone: whether completions ran without the prompt in front.
        limits: of each sample.
        isolation: the isolation level (`modelcore.sandbox.isolation.LEVELS`).
        python: version of the interpreter, under "python", and of each package that completions may import.
    """

    benchmark: BenchmarkRecord
    samples: SamplesRecord
    template: TemplateRecord | None
    standalone: bool
    limits: Limits
    isolation: str
    python: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return JSON data for `from_json`."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Conditions:
        """Return the conditions in `data`, which may have further keys.

        Raises:
            KeyError, TypeError: something is missing or is not of the expected form.
        """
        template, limits = data["template"], data["limits"]
        return cls(
            benchmark=BenchmarkRecord(**data["benchmark"]),
            samples=SamplesRecord(**data["samples"]),
            template=None if template is None else TemplateRecord(**template),
            standalone=data["standalone"],
            limits=Limits(**{**limits, "packages": tuple(limits["packages"])}),
            isolation=data["isolation"],
            python=data["python"],
        )


def conditions_of(
    benchmark: Benchmark, summary: Summary, sample_format: SampleFormat, limits: Limits, isolation: str
) -> Conditions:
    """Return the conditions of scoring under this interpreter."""
    template = sample_format.template
    return Conditions(
        benchmark=BenchmarkRecord(benchmark.name, benchmark.digest, len(benchmark.problems)),
        samples=SamplesRecord(summary.rows, summary.digest),
        template=None if template is None else _template_record(template),
        standalone=sample_format.standalone,
        limits=limits,
        isolation=isolation,
        python={"python": platform.python_version(), **{name: _version(name) for name in limits.packages}},
    )


def _template_record(template: Template) -> TemplateRecord:
    return TemplateRecord(template.name, template.version, template.extractor)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
