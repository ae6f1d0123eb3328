"""Every step as a flow of its own, for the dashboard and for schedules: one artifact in the store each.

A step's input is named by its path: an artifact of an earlier run, or any directory or file. To write to a
directory of your choice instead, use the commands of `mindrail`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import tasks.conversations
import tasks.convert
import tasks.data_report
import tasks.decode
import tasks.download
import tasks.export
import tasks.inspect
import tasks.merge
import tasks.preprocess
import tasks.reshard
import tasks.shard
from flows.run_flow import run_flow
from modelcore.config.checkpoint import Convert, Download, Dtype, FileFormat
from modelcore.config.data import Preprocess
from modelcore.config.section import Section
from modelcore.config.training import Parallel
from modelcore.data.mindrecord.decode import Span
from modelcore.data.report import PreprocessReport
from modelcore.store.location import store_directory
from modelcore.store.store import Store
from tasks.inputs import input_step
from tasks.log import log
from tasks.preflight import preflight
from tasks.step import Step
from tasks.step_task import finished

__all__ = [
    "conversations",
    "convert",
    "data_report",
    "decode",
    "download",
    "inspect",
    "merge",
    "preprocess",
    "reshard",
    "shard",
    "tokenize",
]


@run_flow("download", run_name="download {config.source}")
def download(config: Download, store: str = "store") -> Step:
    """Fetch a Hugging Face checkpoint into the store.

    Args:
        config: the source and what to check.
        store: directory that holds every step's output.
    """
    preflight(config, store=store)
    return finished(tasks.download.download(Store(store_directory(store)), config))


@run_flow("convert", run_name="convert {checkpoint}")
def convert(
    checkpoint: str,
    to: Literal["mindspore", "hf"] = "mindspore",
    config: Convert | None = None,
    store: str = "store",
) -> Step:
    """Convert a checkpoint between Hugging Face's names and files and MindSpore's.

    Args:
        checkpoint: directory with config.json, weights and tokenizer.
        to: names and layout to write.
        config: format and dtype to write, and whether to read everything back and compare.
        store: directory that holds every step's output.
    """
    artifacts, config = Store(store_directory(store)), config or Convert()
    _check(config, store, checkpoint)
    source = input_step(artifacts, checkpoint, key="checkpoint")
    task = tasks.convert.convert if to == "mindspore" else tasks.export.export
    return finished(task(artifacts, source, config))


@run_flow("inspect", run_name="inspect {path}")
def inspect(path: str) -> dict[str, Any]:
    """Describe what is at a path: a checkpoint or part of one, strategy, MindRecord, tokenizer or artifact.

    Args:
        path: any of them on the machine that runs this.
    """
    return tasks.inspect.inspect(path)


@run_flow("tokenize", run_name="tokenize with {tokenizer}")
def tokenize(tokenizer: str, text: str) -> dict[str, Any]:
    """Encode a text: ids, pieces, and whether decoding restores it.

    Args:
        tokenizer: directory with the model's tokenizer files.
        text: what to encode.
    """
    return tasks.inspect.tokenize(tokenizer, text)


@run_flow("preprocess", run_name="preprocess {config.input}")
def preprocess(tokenizer: str, config: Preprocess, store: str = "store") -> Step:
    """Turn instructions or texts into MindRecord rows, with a report.

    Args:
        tokenizer: directory with the model's tokenizer files.
        config: input, row format and length.
        store: directory that holds every step's output.
    """
    artifacts = Store(store_directory(store))
    _check(config, store, tokenizer)
    source = input_step(artifacts, tokenizer, key="tokenizer")
    return finished(tasks.preprocess.preprocess(artifacts, source, config))


@run_flow("conversations", run_name="conversations {source}")
def conversations(source: str, skip_bad: bool = False, store: str = "store") -> Step:
    """Write Alpaca records as conversations (`from: human/gpt`).

    Args:
        source: a JSON list or JSON lines, plain or gzipped.
        skip_bad: leave out records that cannot be read.
        store: directory that holds every step's output.
    """
    artifacts = Store(store_directory(store))
    records = input_step(artifacts, source, key="source")
    return finished(tasks.conversations.conversations(artifacts, records, skip_bad=skip_bad))


@run_flow("data-report", run_name="data-report {rows}")
def data_report(rows: str) -> PreprocessReport:
    """Show what preprocessing did to the records.

    Args:
        rows: an artifact of `preprocess`, or its FILE.mindrecord.
    """
    return tasks.data_report.data_report(Path(rows))


@run_flow("decode", run_name="decode {rows}")
def decode(rows: str, tokenizer: str | None = None, count: int = 3) -> list[list[Span]]:
    """Show the first rows as text, masked and trained parts marked.

    Args:
        rows: an artifact of `preprocess`, or its FILE.mindrecord.
        tokenizer: directory with the tokenizer files; without it, the rows that the report holds decoded.
        count: how many rows.
    """
    return tasks.decode.decode(Path(rows), None if tokenizer is None else Path(tokenizer), count)


@run_flow("shard", run_name="shard {checkpoint}")
def shard(checkpoint: str, config: Parallel, format: FileFormat = "ckpt", store: str = "store") -> Step:
    """Write a whole checkpoint as one file per rank, with MindSpore's strategy files.

    Args:
        checkpoint: directory with config.json and model.ckpt or safetensors with MindSpore's names.
        config: the layout.
        format: of the files written.
        store: directory that holds every step's output.
    """
    artifacts = Store(store_directory(store))
    _check(config, store, checkpoint)
    source = input_step(artifacts, checkpoint, key="checkpoint")
    return finished(tasks.shard.shard(artifacts, source, config, format))


@run_flow("reshard", run_name="reshard {shards}")
def reshard(
    shards: str, config: Parallel, format: FileFormat = "ckpt", newest: bool = False, store: str = "store"
) -> Step:
    """Write a sharded checkpoint for another layout.

    Args:
        shards: directory with rank_<r>/ and strategy/, of this project or of MindFormers.
        config: the layout wanted.
        format: of the files written.
        newest: where a rank has several checkpoints, take the last by epoch and step.
        store: directory that holds every step's output.
    """
    artifacts = Store(store_directory(store))
    _check(config, store, shards)
    source = input_step(artifacts, shards, key="shards")
    return finished(tasks.reshard.reshard(artifacts, source, config, format, newest=newest))


@run_flow("merge", run_name="merge {shards}")
def merge(
    shards: str,
    format: FileFormat = "ckpt",
    dtype: Dtype = "keep",
    weights_only: bool = False,
    newest: bool = False,
    store: str = "store",
) -> Step:
    """Join a sharded checkpoint into a whole one.

    Args:
        shards: directory with rank_<r>/ and strategy/, of this project or of MindFormers.
        format: of the file written.
        dtype: type to cast the parameters to, or keep.
        weights_only: leave out optimizer states and step counters.
        newest: where a rank has several checkpoints, take the last by epoch and step.
        store: directory that holds every step's output.
    """
    artifacts = Store(store_directory(store))
    source = input_step(artifacts, shards, key="shards")
    merged = tasks.merge.merge(
        artifacts, source, format, dtype=dtype, weights_only=weights_only, newest=newest
    )
    return finished(merged)


def _check(config: Section, store: str, directory: str) -> None:
    """Check a step's options before its input is read; what is no directory is for the step to refuse."""
    if Path(directory).is_dir():
        for note in preflight(config, store=store, model=Path(directory)):
            log(f"note: {note}")
