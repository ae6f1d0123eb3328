from __future__ import annotations

import json
import platform
from importlib.metadata import version

import pytest

from modelcore.evaluation.benchmarks import Benchmark
from modelcore.evaluation.conditions import (
    BenchmarkRecord,
    Conditions,
    SamplesRecord,
    TemplateRecord,
    conditions_of,
)
from modelcore.evaluation.samples import SampleFormat, Summary
from modelcore.evaluation.templates import template
from modelcore.sandbox.limits import Limits

SUMMARY = Summary(3, {"Tiny/0": 3}, "content")


def test_conditions_record_everything_that_a_verdict_depends_on(tiny: Benchmark) -> None:
    limits = Limits(seconds=2.0, packages=("numpy", "no_such_package"))
    conditions = conditions_of(tiny, SUMMARY, SampleFormat(template("alpaca"), True), limits, "landlock")
    assert conditions == Conditions(
        benchmark=BenchmarkRecord("tiny", tiny.digest, 2),
        samples=SamplesRecord(3, "content"),
        template=TemplateRecord("alpaca", 1, "fenced"),
        standalone=True,
        limits=limits,
        isolation="landlock",
        python={
            "python": platform.python_version(),
            "numpy": version("numpy"),
            "no_such_package": "not installed",
        },
    )


@pytest.mark.parametrize("sample_format", [SampleFormat(), SampleFormat(template("base"))])
def test_conditions_are_equal_after_json(tiny: Benchmark, sample_format: SampleFormat) -> None:
    conditions = conditions_of(tiny, SUMMARY, sample_format, Limits(packages=()), "namespaces")
    data = conditions.to_json()
    assert json.loads(json.dumps(data)) == data
    assert Conditions.from_json({**data, "more": "keys"}) == conditions


def test_conditions_without_one_of_their_keys_are_refused(tiny: Benchmark) -> None:
    data = conditions_of(tiny, SUMMARY, SampleFormat(), Limits(), "landlock").to_json()
    for key in data:
        with pytest.raises(KeyError, match=key):
            Conditions.from_json({name: value for name, value in data.items() if name != key})
