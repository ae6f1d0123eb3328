"""Every step as a flow of its own, for the dashboard and for schedules: one artifact in the store each.

What a step reads is named by its path: an artifact of an earlier run or any directory or file. The same
work with a destination of one's own is a command of `mindrail`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from prefect import flow

from modelcore.config.checkpoint import Convert, Download, FileFormat
from modelcore.config.data import Preprocess
from modelcore.config.training import Parallel
from modelcore.data.mindrecord.decode import Span
from modelcore.data.report import PreprocessReport
from modelcore.store.store import Store
from tasks import convert as converting
from tasks import data as looking
from tasks import download as downloading
from tasks import inspect as inspecting
from tasks import merge as merging
from tasks import preprocess as preprocessing
from tasks import shard as sharding
from tasks.named_input import given
from tasks.step import Step, finished

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


@flow(name="download", flow_run_name="download {config.source}", persist_result=False)
def download(config: Download, store: str = "store") -> Step:
    """Fetch a Hugging Face checkpoint into the store.

    Args:
        config: the source and what to check.
        store: directory that holds every step's output.
    """
    return finished(downloading.download(Store(Path(store)), config))


@flow(name="convert", flow_run_name="convert {checkpoint}", persist_result=False)
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
    source = given(checkpoint, key="checkpoint")
    step = converting.convert if to == "mindspore" else converting.export
    return finished(step(Store(Path(store)), source, config or Convert()))


@flow(name="inspect", flow_run_name="inspect {path}", persist_result=False)
def inspect(path: str) -> dict[str, Any]:
    """Say what a path is: a checkpoint or part of one, strategy, MindRecord, tokenizer or artifact.

    Args:
        path: any of them on the machine that runs this.
    """
    found: dict[str, Any] = inspecting.inspect(path)
    return found


@flow(name="tokenize", flow_run_name="tokenize with {tokenizer}", persist_result=False)
def tokenize(tokenizer: str, text: str) -> dict[str, Any]:
    """Encode a text: ids, pieces, and whether it comes back the same.

    Args:
        tokenizer: directory with the model's tokenizer files.
        text: what to encode.
    """
    made: dict[str, Any] = inspecting.tokenize(tokenizer, text)
    return made


@flow(name="preprocess", flow_run_name="preprocess {config.input}", persist_result=False)
def preprocess(tokenizer: str, config: Preprocess, store: str = "store") -> Step:
    """Turn instructions or texts into MindRecord rows, with a report.

    Args:
        tokenizer: directory with the model's tokenizer files.
        config: input, row format and length.
        store: directory that holds every step's output.
    """
    source = given(tokenizer, key="tokenizer")
    return finished(preprocessing.preprocess(Store(Path(store)), source, config))


@flow(name="conversations", flow_run_name="conversations {source}", persist_result=False)
def conversations(source: str, skip_bad: bool = False, store: str = "store") -> Step:
    """Write Alpaca records out as conversations (`from: human/gpt`).

    Args:
        source: a JSON list or JSON lines, plain or gzipped.
        skip_bad: leave out records that cannot be read.
        store: directory that holds every step's output.
    """
    return finished(looking.conversations(Store(Path(store)), given(source, key="source"), skip_bad))


@flow(name="data-report", flow_run_name="data-report {rows}", persist_result=False)
def data_report(rows: str) -> PreprocessReport:
    """Show what preprocessing did to the records.

    Args:
        rows: an artifact of `preprocess`, or its FILE.mindrecord.
    """
    report: PreprocessReport = looking.look(Path(rows))
    return report


@flow(name="decode", flow_run_name="decode {rows}", persist_result=False)
def decode(rows: str, tokenizer: str | None = None, count: int = 3) -> list[list[Span]]:
    """Show the first rows as text, masked and trained parts told apart.

    Args:
        rows: an artifact of `preprocess`, or its FILE.mindrecord.
        tokenizer: directory with the tokenizer files; without it, the rows that the report holds decoded.
        count: how many rows.
    """
    vocabulary = None if tokenizer is None else Path(tokenizer)
    found: list[list[Span]] = looking.decode(Path(rows), vocabulary, count)
    return found


@flow(name="shard", flow_run_name="shard {checkpoint}", persist_result=False)
def shard(checkpoint: str, config: Parallel, format: FileFormat = "ckpt", store: str = "store") -> Step:
    """Cut a whole checkpoint into one file a rank, with MindSpore's strategy files.

    Args:
        checkpoint: directory with config.json and model.ckpt or safetensors with MindSpore's names.
        config: the layout.
        format: of the files made.
        store: directory that holds every step's output.
    """
    source = given(checkpoint, key="checkpoint")
    return finished(sharding.shard(Store(Path(store)), source, config, format))


@flow(name="reshard", flow_run_name="reshard {shards}", persist_result=False)
def reshard(
    shards: str, config: Parallel, format: FileFormat = "ckpt", newest: bool = False, store: str = "store"
) -> Step:
    """Make a sharded checkpoint one of another layout.

    Args:
        shards: directory with rank_<r>/ and strategy/, of this project or of MindFormers.
        config: the layout wanted.
        format: of the files made.
        newest: where a rank has several checkpoints, take the last by epoch and step.
        store: directory that holds every step's output.
    """
    source = given(shards, key="shards")
    return finished(sharding.reshard(Store(Path(store)), source, config, format, newest))


@flow(name="merge", flow_run_name="merge {shards}", persist_result=False)
def merge(
    shards: str,
    format: FileFormat = "ckpt",
    weights_only: bool = False,
    newest: bool = False,
    store: str = "store",
) -> Step:
    """Join a sharded checkpoint into a whole one.

    Args:
        shards: directory with rank_<r>/ and strategy/, of this project or of MindFormers.
        format: of the file made.
        weights_only: leave out optimizer states and step counters.
        newest: where a rank has several checkpoints, take the last by epoch and step.
        store: directory that holds every step's output.
    """
    source = given(shards, key="shards")
    return finished(merging.merge(Store(Path(store)), source, format, weights_only, newest))
