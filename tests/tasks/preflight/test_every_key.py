"""Every key of every kind of run: a wrong type, a value out of range or dangling is refused before work."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from modelcore.config.keys import Key, every_key
from modelcore.config.runs import RUNS
from modelcore.config.section import Section
from modelcore.errors import MindrailError
from tasks.preflight import preflight
from tests.local_runs import CONTEXT, Runs

KINDS = ("pipeline", "finetune", "pretrain", "evaluate")
"""Those that do work; `predict` only describes a layout, and its keys are checked when it is read."""

# `{here}` is the test's own directory. Values that are of the right type and range, but lead nowhere.
DANGLING: dict[str, list[Any]] = {
    "store": ["{here}/broken.json/store", "s3://", "s3:///prefix"],
    "checkpoints": [
        ["{here}/nowhere"],
        ["codelama-7b"],
        ["{here}/empty"],
        ["newest"],
        ["newest:{here}/empty"],
        ["ftp://somewhere/model"],
        ["hf://no-owner"],
    ],
    "download.source": [
        "file://{here}/nowhere",
        "file://{here}/empty",
        "codelama-7b",
        "hf://no-owner",
        "ftp://somewhere/model",
        "https://",
    ],
    "download.model": ["codelama-7b", "hf://no-owner", "file://{here}/nowhere"],
    "download.endpoint": ["no address"],
    "download.sha256": [{"model.safetensors": "abc"}, {"../model.safetensors": "0" * 64}],
    "generate.endpoint": ["no address", "ftp://somewhere/v1", "http://"],
    "preprocess.input": [
        "{here}/nowhere.json",
        "{here}/broken.json",
        "{here}/empty",
    ],
    "preprocess.rows": ["{here}/nowhere.mindrecord"],
    "preprocess.benchmarks": [["{here}/nowhere.jsonl"], ["{here}/rows.json"]],
    "preprocess.compat": ["mindformers"],
    "preprocess.pad_id": [260, 10**9],
    "preprocess.seq_length": [CONTEXT + 1],
    "parallel.offset": [[1], [0, 0]],
    "parallel.micro_batch_num": [2],
    "launch.world_size": [2],
    "launch.device_memory": ["64 apples", "0GB", "1kB"],
    "launch.environment": [{"MS X": "1"}, {"RANK_ID": "0"}, {"PATH": "/bin"}],
    "launch.cluster": [{"hosts": 1, "ranks_per_host": 2}],
    "train.warmup_steps": [10],
    "train.validate_every": [1],
    "train.resume_from": ["{here}/nowhere", "{here}/empty"],
    "generate.benchmark": ["{here}/nowhere.jsonl", "{here}/broken.json", "{here}/rows.json"],
    "generate.samples": [2],
    "generate.environment": [{"MS X": "1"}, {"HF_TOKEN": "hf_x"}],
    "score.k": [[2]],
}

FREE_TEXT = {
    "name": "any text is a name",
    "download.revision": "only the hub knows its branches",
    "launch.cluster.address": "only the network knows its hosts",
    "preprocess.cluster.address": "only the network knows its hosts",
    "generate.cluster.address": "only the network knows its hosts",
    "score.cluster.address": "only the network knows its hosts",
    "download.token_secret": "only Prefect's server knows its secrets",
    "generate.endpoint_secret": "only Prefect's server knows its secrets",
    "generate.endpoint_model": "only the endpoint knows its models",
}


def keys(kind: str) -> list[tuple[str, Key]]:
    return list(every_key(RUNS[kind]))


def of_wrong_type(key: Key) -> Iterator[Any]:
    if issubclass(key.kind, Section):
        yield from (3, "text", [])
        if key.default is not None or key.required:
            yield None
        return
    one: dict[type, list[Any]] = {
        str: [3, True],
        int: ["x", 1.5, True],
        float: ["x", True],
        bool: ["yes", 1],
    }
    wrong = [*one[key.kind], {"a": {}}]
    if key.container is list:
        yield from [[value] for value in wrong] + ["x", 3]
    elif key.container is dict:
        yield from [{"a": value} for value in wrong] + ["x", []]
    else:
        yield from [*wrong, []]
    if key.default is not None or key.required:
        yield None


def out_of_range(key: Key) -> Iterator[Any]:
    bounds, step = key.bounds, 1 if key.kind is int else 1e-9
    values: list[Any] = ["bogus"] if key.choices else []
    if bounds.lowest is not None:
        values.append(bounds.lowest if bounds.lowest_open else bounds.lowest - step)
    if bounds.highest is not None:
        values.append(bounds.highest if bounds.highest_open else bounds.highest + step)
    if key.kind is float:
        values += [math.nan, math.inf, -math.inf]
    if key.container is list:
        yield from ([value] for value in values)
    else:
        yield from ({"a": value} for value in values) if key.container is dict else values


def as_yaml(value: Any) -> str:
    """Return a value as `--set` takes it: JSON, with YAML's names of what is no number."""
    names = {math.inf: ".inf", -math.inf: "-.inf"}
    if isinstance(value, float) and not math.isfinite(value):
        return names.get(value, ".nan")
    return json.dumps(value)


def refusal(runs: Runs, kind: str, name: str, value: Any) -> str:
    """Return the line that refuses a value; nothing must have been made by then."""
    change = f"{name}={as_yaml(value)}".replace("{here}", str(runs.directory))
    with pytest.raises(MindrailError) as refused:
        preflight(runs.read(kind, change))
        pytest.fail(f"{kind}: {change} is accepted")
    assert not runs.store.exists()
    return str(refused.value)


def assert_names(line: str, name: str, value: Any) -> None:
    section, _, key = name.rpartition(".")
    assert name in line or re.search(rf"\b{section}: .*\b{key}\b", line), f"{name}={value!r}: {line}"
    assert "\n" not in line


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_right_is_accepted(runs: Runs, kind: str) -> None:
    assert preflight(runs.read(kind)) == ()
    assert not runs.store.exists()


@pytest.mark.parametrize("kind", RUNS)
def test_every_wrong_type_is_refused_by_name(runs: Runs, kind: str) -> None:
    for name, key in keys(kind):
        for value in of_wrong_type(key):
            assert_names(refusal(runs, kind, name, value), name, value)


@pytest.mark.parametrize("kind", RUNS)
def test_every_value_out_of_range_is_refused_by_name(runs: Runs, kind: str) -> None:
    for name, key in keys(kind):
        for value in out_of_range(key):
            assert_names(refusal(runs, kind, name, value), name, value)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in KINDS for name, _ in every_key(RUNS[kind]) if name in DANGLING],
)
def test_every_value_that_leads_nowhere_is_refused_by_name(runs: Runs, kind: str, name: str) -> None:
    for value in DANGLING[name]:
        assert_names(refusal(runs, kind, name, value), name, value)


def test_every_text_is_known_to_lead_somewhere_or_to_be_free() -> None:
    texts = {
        name
        for kind in KINDS
        for name, key in keys(kind)
        if key.kind is str and not key.choices and name not in FREE_TEXT
    }
    assert texts <= DANGLING.keys()
    assert DANGLING.keys() | FREE_TEXT.keys() <= {name for kind in KINDS for name, _ in keys(kind)}
