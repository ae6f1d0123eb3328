"""The steps of a run before it starts: which are in the store, what they take, and how long by experience.

A step is taken as cached if the store has an artifact of it that was made with the same parameters from the
artifacts of the steps before. Rates are those at which this store's artifacts were built. No Prefect here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from modelcore.config.checkpoint import Convert, Download
from modelcore.config.data import Preprocess
from modelcore.config.evaluation import Generate, Score
from modelcore.config.runs import Evaluate, Pipeline, Predict, Pretrain, Run, Training
from modelcore.config.training import Sharding
from modelcore.data.given_rows import given_files
from modelcore.data.sources.files import named_files
from modelcore.demo.config import Demo
from modelcore.errors import MindrailError
from modelcore.store.location import store_directory
from modelcore.store.manifest import Manifest, file_sha256
from modelcore.store.store import Store
from tasks.download_source import download_source
from tasks.inputs import joint_digest
from tasks.precision import with_precision
from tasks.preflight.directories import Directories
from tasks.preflight.disk_space import disk_needs

__all__ = ["PlannedStep", "planned_steps", "step_names"]

_MOST_HASHED = 200_000_000  # bytes of data that are read to know whether its rows are there


@dataclass(frozen=True)
class PlannedStep:
    """One step.

    Attributes:
        name: as shown while it runs.
        state: `cached`, or `to do`.
        inputs: the steps or keys that it reads.
        output: the directory of a cached artifact, else what it will be.
        bytes: of its output; None if they are not known before it ran.
        seconds: at the rates of this store; None if none was measured.
    """

    name: str
    state: Literal["cached", "to do"]
    inputs: tuple[str, ...]
    output: str
    bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class _Expected:
    """A step as its manifest would say it: parameters (a part of them) and the steps it reads."""

    name: str
    step: str
    inputs: tuple[str, ...]
    output: str
    parameters: Mapping[str, Any]
    reads: tuple[str, ...] = ()
    work: float | None = None
    files: tuple[str, tuple[str, ...]] = ("", ())


def planned_steps(config: Run, described: Path | None) -> Iterator[PlannedStep]:
    """Yield the steps of a run in order.

    Args:
        config: the run.
        described: directory with the model's config.json, None if it is not known.
    """
    if isinstance(config, Training):
        config = with_precision(config)
    store = store_directory(config.store)
    manifests = [artifact.manifest for artifact in Store(store).artifacts()] if store.is_dir() else []
    needs = _needs(config, Directories(store, described))
    found: dict[str, list[Manifest]] = {}
    steps = list(_expected(config))
    if isinstance(config, Demo) and (generated := _matching(steps[0], manifests, found, None)):
        directory = (store / generated[-1].step / generated[-1].key).absolute()
        steps = [steps[0], *_expected(config.pipeline(directory))]
    for expected in steps:
        same = _matching(expected, manifests, found, described)
        found[expected.name] = same
        if same:
            newest = same[-1]
            path = str(store / newest.step / newest.key)
            yield PlannedStep(expected.name, "cached", expected.inputs, path, newest.size, 0.0)
        else:
            size = needs.get(expected.step)
            seconds = _seconds(expected, size, manifests)
            yield PlannedStep(expected.name, "to do", expected.inputs, expected.output, size, seconds)


def step_names(config: Run) -> list[str]:
    """Return the names of a run's steps in order, without looking at any file."""
    if isinstance(config, Training):
        config = with_precision(config)
    return [expected.name for expected in _expected(config)]


def _needs(config: Run, directories: Directories) -> dict[str, int]:
    try:
        return disk_needs(config, directories)
    except MindrailError:  # the plan lists it among the problems
        return {}


def _expected(config: Run) -> Iterator[_Expected]:
    if isinstance(config, Demo):
        generated = config.first_programs.model_dump()
        yield _Expected("first-programs", "first-programs", (), "programs, benchmark, model", generated)
    if isinstance(config, Training):
        yield from _training(config)
    if isinstance(config, Predict):
        yield _download(config.download.source)
        yield _converted(config.convert)
        yield _sharded(config.parallel, "convert")
    if isinstance(config, Pipeline):
        start = "join" if _is_sharded(config.download) else "convert"
        if config.baseline:
            yield from _scored(config.generate, config.score, config.seed, start, " (before)")
        yield from _scored(config.generate, config.score, config.seed, "merge", "")
    if isinstance(config, Evaluate):
        if (url := config.generate.endpoint) is not None:
            named = {"url": url.rstrip("/"), "model": config.generate.endpoint_model}
            yield _Expected("endpoint", "endpoint", (url,), "server and model", named)
            yield from _scored(config.generate, config.score, config.seed, "endpoint", "")
        for number, name in enumerate(config.checkpoints, 1):
            suffix = f" ({number})" if len(config.checkpoints) > 1 else ""
            yield from _scored(config.generate, config.score, config.seed, name, suffix)


def _training(config: Training) -> Iterator[_Expected]:
    yield _download(config.download.source)
    if isinstance(config, Pretrain) and config.random_weights:
        start = "initialize"
        yield _Expected(start, start, ("download",), "random weights", {"seed": config.seed}, ("download",))
    elif _is_sharded(config.download):
        start = "join"
        plain = config.convert.model_dump(include={"format", "dtype"})
        yield _Expected(start, start, ("download",), "MindSpore checkpoint", plain)
    else:
        start = "convert"
        yield _converted(config.convert)
    yield _rows(config.preprocess)
    yield _sharded(config.parallel, start)
    yield _Expected(
        "launch",
        "launch",
        ("shard", "preprocess"),
        "trained shards, metrics, checkpoints",
        config.key_parameters if config.train.steps is not None else {"steps": "of epochs"},
        ("shard", "preprocess"),
        None if config.train.steps is None else float(config.train.steps * config.global_batch),
    )
    yield _Expected(
        "merge", "merge", ("launch",), "trained checkpoint, MindSpore", _cast(config.merge.dtype), ("launch",)
    )
    yield _Expected("export", "export", ("merge",), "trained checkpoint, Hugging Face", {}, ("merge",))


def _rows(config: Preprocess) -> _Expected:
    key, names = ("rows", config.rows) if config.rows else ("input", config.input)
    inputs = (*(f"preprocess.{key} {name}" for name in names), "download")
    rows = config.model_dump(
        include={"format", "seq_length", "validation"} | ({"pack"} if config.input else set())
    )
    return _Expected("preprocess", "preprocess", inputs, "MindRecord rows", rows, files=(key, tuple(names)))


def _is_sharded(config: Download) -> bool:
    try:
        return download_source(config).shards is not None
    except MindrailError:  # the plan lists it among the problems
        return False


def _cast(dtype: str) -> dict[str, str]:
    return {} if dtype in ("source", "fp32") else {"dtype": dtype}


def _download(source: str) -> _Expected:
    return _Expected("download", "download", (f"download.source {source}",), "checkpoint", {"": source})


def _converted(config: Convert) -> _Expected:
    plain = {**config.model_dump(), "to": "mindspore"}
    return _Expected("convert", "convert", ("download",), "MindSpore checkpoint", plain, ("download",))


def _sharded(config: Sharding, start: str) -> _Expected:
    plain = config.model_dump(include=set(Sharding.model_fields))
    return _Expected("shard", "shard", (start,), "one file per rank", plain, (start,))


def _scored(
    generation: Generate, scoring: Score, seed: int, checkpoint: str, suffix: str
) -> Iterator[_Expected]:
    reads = (checkpoint,) if checkpoint in ("convert", "join", "merge", "endpoint") else ()
    decoding = generation.model_dump(include={"max_new_tokens", "samples", "temperature", "top_p"})
    if generation.rounds_weights:
        decoding["precision"] = generation.precision
    if generation.endpoint is not None:
        url, model = generation.endpoint.rstrip("/"), generation.endpoint_model
        decoding["endpoint"] = {"url": url, "model": model, "chat": generation.endpoint_chat}
    names = [f"{step}{suffix}" for step in ("generate", "extract", "score")]
    asked = (checkpoint, f"benchmark {generation.benchmark}")
    yield _Expected(names[0], "generate", asked, "responses", {**decoding, "seed": seed}, reads)
    yield _Expected(names[1], "extract", (names[0],), "samples.jsonl", {}, (names[0],))
    limits = scoring.model_dump(include={"k", "timeout", "memory_mb"})
    yield _Expected(names[2], "score", (names[1],), "score.json", limits, (names[1],))


def _matching(
    expected: _Expected,
    manifests: Collection[Manifest],
    found: Mapping[str, list[Manifest]],
    described: Path | None,
) -> list[Manifest]:
    """Return the artifacts that the run will find for a step, oldest first."""
    same = [one for one in manifests if one.step == expected.step]
    if expected.step == "download":
        return [one for one in same if _is_download_of(one, expected.parameters[""], described)]
    if expected.step == "preprocess":
        same = [one for one in same if _has_rows_of(one, *expected.files)]
    for name in expected.reads:
        digests = {one.digest for one in found.get(name, ())}
        same = [one for one in same if digests & set(one.inputs.values())]
    return [one for one in same if expected.parameters.items() <= one.parameters.items()]


def _is_download_of(manifest: Manifest, source: str, described: Path | None) -> bool:
    if manifest.recorded.get("source") == source:
        return True
    config = None if described is None else described / "config.json"
    if config is None or not config.is_file():
        return False
    digest = file_sha256(config)
    return any(file.sha256 == digest for file in manifest.files)


def _has_rows_of(manifest: Manifest, key: str, names: Sequence[str]) -> bool:
    try:
        files = given_files(names) if key == "rows" else named_files(names)
    except MindrailError:  # the plan lists it among the problems
        return False
    if sum(path.stat().st_size for path in files) > _MOST_HASHED:
        return False
    found = manifest.inputs.get("rows" if key == "rows" else "data")
    return found == joint_digest([file_sha256(path) for path in files])


def _seconds(expected: _Expected, size: int | None, manifests: Collection[Manifest]) -> float | None:
    """Return how long a step takes at this store's mean rate: bytes written, of a training times its rows."""
    built = [one for one in manifests if one.step == expected.step and one.seconds > 0]
    if not built:
        return None
    total = sum(one.seconds for one in built)
    if expected.step == "launch":
        done = sum(one.size * rows for one in built if (rows := _rows_of(one)) is not None)
        work = None if expected.work is None or size is None else size * expected.work
    elif size is None:
        return total / len(built)  # what its size is, is not known before: the mean of those before
    else:
        done, work = float(sum(one.size for one in built)), float(size)
    return None if not done or work is None else total * work / done


def _rows_of(manifest: Manifest) -> float | None:
    """Return the rows that a training read: its bytes stand for the model's size."""
    train, parallel = manifest.parameters.get("train", {}), manifest.parameters.get("parallel", {})
    try:
        batches = parallel["micro_batch_num"] if parallel["pipeline_stage"] > 1 else train["accumulate"]
        return float(train["steps"] * train["batch_size"] * parallel["data_parallel"] * batches)
    except (KeyError, TypeError):
        return None
