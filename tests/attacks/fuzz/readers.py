"""Every reader of something from outside, with sound inputs to begin with, for `make fuzz` and a test."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import socket
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from flows.kinds import KINDS
from modelcore.boundary.yaml_text import parse_yaml
from modelcore.checkpoints.inspect import inspect_path
from modelcore.config.reading import read_changed, read_config
from modelcore.data.mindrecord.file import HEADER, MindRecordReader, inspect_mindrecord, read_mindrecord
from modelcore.data.mindrecord.row import column_bytes, row_bytes
from modelcore.data.sources.json_records import read_records
from modelcore.data.tokenizers import load_tokenizer
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.history import read_history
from modelcore.evaluation.report import read_report
from modelcore.evaluation.samples import read_rows
from modelcore.generation.plan import read_prompts
from modelcore.launching.hccn import read_hccn_conf
from modelcore.launching.rank_table_file import read_rank_table
from modelcore.parallel.strategy import Strategy, TensorLayout, encode_strategy, read_strategy
from modelcore.sandbox.plain import unpack
from modelcore.sandbox.wire import ChannelClosed, receive
from modelcore.store import download_http, paced
from modelcore.store.checkpoint_index import index_shards, index_size, parse_sums
from modelcore.store.download_file import read_block
from modelcore.store.hub import described_files
from modelcore.store.manifest import Manifest, content_digest
from modelcore.weights.checkpoint import open_file
from modelcore.weights.tensors import sha256
from tasks.import_config import import_config
from tests.attacks.weights.test_fuzzed_weights import sound_bin, sound_ckpt, sound_safetensors
from tests.byte_vocabulary import write_byte_vocabulary
from tests.families import SMALL
from tests.paths import ROOT

__all__ = ["READERS", "Reader"]


@dataclass(frozen=True)
class Reader:
    """A reader.

    Attributes:
        name: of its file or format.
        seeds: returns sound inputs.
        read: reads an input, in a directory of its own; raises MindrailError where it is refused, or one of
            `refusals`.
        refusals: what else the reader raises by contract.
    """

    name: str
    seeds: Callable[[], tuple[bytes, ...]]
    read: Callable[[bytes, Path], object]
    refusals: tuple[type[BaseException], ...] = ()


def _file(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    def write_and_read(data: bytes, directory: Path) -> object:
        path = directory / name
        path.write_bytes(data)
        return read(path)

    return write_and_read


def _json(*values: Any) -> Callable[[], tuple[bytes, ...]]:
    return lambda: tuple(json.dumps(value).encode() for value in values)


def _weights(path: Path) -> None:
    for tensor in open_file(path).values():
        sha256(tensor)
    inspect_path(path)


def _set(data: bytes, directory: Path) -> object:
    path = directory / "run.yaml"
    path.write_text("a: {b: 1}\n")
    return read_changed(path, [data.decode("utf-8", "surrogateescape")])


def _index(path: Path) -> None:
    index_shards(path)
    index_size(path)


def _manifest(path: Path) -> object:
    return Manifest.read(path.parent)


def _strategy() -> tuple[bytes, ...]:
    layouts = {"a": TensorLayout((2, 4), ((1,), (0,))), "b": TensorLayout((2, 4), ((),), 4, 2)}
    return (encode_strategy(Strategy(0, layouts)), encode_strategy(Strategy(1, {"a": layouts["a"]})))


_ROW = row_bytes([column_bytes(np.array([[1, 300, 70000]], np.int32))[0]])
_TABLE_OF_ROWS = (
    "CREATE TABLE INDEXES(ROW_ID INT, PAGE_ID_BLOB INT, PAGE_OFFSET_BLOB INT, PAGE_OFFSET_BLOB_END INT)"
)


@cache
def _mindrecord() -> tuple[bytes, bytes]:
    """Return the header and the index of a MindRecord of one row."""
    columns = {"input_ids": {"type": "int32", "shape": [-1]}}
    schema = {"blob_fields": ["input_ids"], "desc": "", "schema": columns}
    header = json.dumps({"schema": [schema], "page": []}).encode()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.db"
        with closing(sqlite3.connect(path)) as index:
            index.execute(_TABLE_OF_ROWS)
            index.execute("INSERT INTO INDEXES VALUES(0, 0, 0, ?)", (len(_ROW),))
            index.commit()
        return len(header).to_bytes(8, "little") + header, path.read_bytes()


def _read_mindrecord(header: bytes, index: bytes, directory: Path) -> None:
    path = directory / "x.mindrecord"
    with path.open("wb") as file:
        file.write(header[:HEADER])
        file.seek(HEADER)
        file.write(_ROW)
    (directory / "x.mindrecord.db").write_bytes(index)
    inspect_mindrecord(path)
    reader = MindRecordReader(path)
    for number in range(min(3, len(reader))):
        reader.read(number)
    next(read_mindrecord(path), None)


@cache
def _tokenizer_json() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        return (write_byte_vocabulary(Path(directory)) / "tokenizer.json").read_bytes()


@cache
def _sentencepiece() -> tuple[bytes, ...]:
    from io import BytesIO

    import sentencepiece

    model = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["ab ba abab"] * 10),
        model_writer=model,
        vocab_size=265,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=9,
    )
    return (model.getvalue(),)


def _vocabulary(data: bytes, directory: Path) -> object:
    vocab, _, merges = data.partition(b"\n")
    (directory / "vocab.json").write_bytes(vocab)
    (directory / "merges.txt").write_bytes(merges)
    return load_tokenizer(directory)


def _special(data: bytes, directory: Path) -> object:
    (directory / "tokenizer.json").write_bytes(_tokenizer_json())
    (directory / "tokenizer_config.json").write_bytes(data)
    return load_tokenizer(directory).encode("text")


def _answer(data: bytes, directory: Path) -> None:
    """Read bytes as a web server's answer to a request for a file."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        theirs.send(data[:100_000])
        theirs.close()
        response = paced._PacedResponse(ours, method="GET")
        try:
            response.begin()
        except (OSError, ValueError, HTTPException) as error:
            raise MindrailError(f"no answer ({error})") from error
        opened = download_http._opened(response, 0, "http://x/y")
        while read_block(opened.stream, "http://x/y"):
            pass
        opened.stream.close()


def _hub(data: bytes, directory: Path) -> object:
    """Read bytes as a hub's description of a model."""
    return described_files(data, "hf://owner/model")


def _runs() -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted((ROOT / "configs").glob("*.yaml")))


def _read_run(data: bytes, directory: Path) -> object:
    """Read a YAML as the first kind of run that takes it."""
    path = directory / "run.yaml"
    path.write_bytes(data)
    refusals = []
    for kind in KINDS:
        try:
            return read_config(path, kind.schema)
        except MindrailError as error:
            refusals.append(error)
    raise refusals[-1]


def _completion(data: bytes, directory: Path) -> object:
    """Read bytes as a completion's answer to its tests."""
    readable, writable = os.pipe()
    body = data[:60_000]
    os.write(writable, len(body).to_bytes(4, "big") + body)
    os.close(writable)
    try:
        return unpack(receive(readable, 1 << 20), lambda number: None)
    finally:
        os.close(readable)


_LISTING = {
    "sha": "0" * 40,
    "siblings": [{"rfilename": "x", "size": 1, "lfs": {"sha256": "0" * 64}}, {"rfilename": "y"}],
}
_MINDFORMERS = b"""
seed: 0
trainer: {type: CausalLanguageModelingTrainer, model_name: codellama_34b}
runner_config: {epochs: 2, batch_size: 1, sink_mode: True}
optimizer: {beta1: 0.9, beta2: 0.95, eps: 1.e-8}
lr_schedule: {type: CosineWithWarmUpLR, learning_rate: 1.e-5, lr_end: 0, warmup_ratio: 0.03}
train_dataset: &rows {data_loader: {dataset_dir: rows.mindrecord}, tokenizer: {max_length: 2048}}
train_dataset_task: {dataset_config: *rows}
parallel_config: {data_parallel: 1, model_parallel: 8, pipeline_stage: 1, micro_batch_num: 1}
callbacks: [{type: CheckpointMointor, save_checkpoint_steps: 100}]
model: {model_config: {seq_length: 2048, compute_dtype: float16, pad_token_id: 49152}}
"""
_SAMPLE = {"task_id": "HumanEval/0", "completion": "    return 1\n", "response": "```python\nx\n```"}
_HUMANEVAL = {
    "task_id": "X/0",
    "prompt": "def f():\n",
    "entry_point": "f",
    "test": "def check(c):\n    pass\n",
}
_MBPP = {"task_id": 1, "text": "Add.", "code": "def f(a):\n    return a", "test_list": ["assert f(1) == 1"]}
_RUN = {
    **dict.fromkeys(("id", "name", "time", "checkpoint", "benchmark", "benchmark_digest", "report"), "x"),
    "pass_at_k": {"1": [0.5, 0.4, 0.6]},
}
_MANIFEST = {
    **{"step": "x", "version": 1, "key": "k", "inputs": {}, "parameters": {}, "seconds": 1.0},
    **{"created": "2025-01-01", "host": "h", "digest": content_digest(())},
    "files": [],
}
_RECORD = {"instruction": "Add.", "input": "", "output": "x"}
_DEVICE = {"device_id": "0", "device_ip": "192.168.1.1", "rank_id": "0"}
_TABLE = {
    "version": "1.0",
    "server_count": "1",
    "server_list": [{"server_id": "10.0.0.1", "device": [_DEVICE]}],
    "status": "completed",
}
_RESPONSES = (
    b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "v"\r\n\r\n{}',
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-1/2\r\nContent-Length: 2\r\n\r\n{}",
)
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RecursionError)

READERS = (
    Reader(
        "YAML",
        lambda: (b"a: &x {b: [1, 2.5, 'c']}\nd: *x\ne: |\n  f\n",),
        lambda d, _: _yaml(d),
        (ValueError,),
    ),
    Reader("--set", lambda: (b"a.b=[1, {c: 2}]", b"x=1e-4"), _set),
    Reader("a run's YAML", _runs, lambda d, at: _read_run(d, at)),
    Reader("MindFormers' YAML", lambda: (_MINDFORMERS,), _file("run.yaml", import_config)),
    Reader("config.json", _json(*SMALL.values()), _file("config.json", inspect_path)),
    Reader(
        "index.json", _json({"metadata": {"total_size": 8}, "weight_map": {"a": "x.bin"}}), _file("i", _index)
    ),
    Reader(
        "SHA256SUMS", lambda: (b"0" * 64 + b"  x\n",), lambda d, _: parse_sums(d.decode(errors="replace"), "")
    ),
    Reader("safetensors", lambda: (sound_safetensors(),), _file("x.safetensors", _weights)),
    Reader(".ckpt", lambda: (sound_ckpt(),), _file("x.ckpt", _weights)),
    Reader(".bin", lambda: (sound_bin(), pickle.dumps({"a": [1]}, 2)), _file("x.bin", _weights)),
    Reader("strategy", _strategy, _file("s.ckpt", read_strategy)),
    Reader(
        "MindRecord header",
        lambda: (_mindrecord()[0],),
        lambda d, at: _read_mindrecord(d, _mindrecord()[1], at),
    ),
    Reader(
        "MindRecord index",
        lambda: (_mindrecord()[1],),
        lambda d, at: _read_mindrecord(_mindrecord()[0], d, at),
    ),
    Reader(
        "tokenizer.json",
        lambda: (_tokenizer_json(),),
        _file("tokenizer.json", lambda path: load_tokenizer(path.parent).encode("a b")),
    ),
    Reader(
        "tokenizer.model",
        _sentencepiece,
        _file("tokenizer.model", lambda path: load_tokenizer(path.parent).encode("ab")),
    ),
    Reader("vocab.json, merges.txt", lambda: (b'{"a": 0, "b": 1, "ab": 2}\n#version\na b\n',), _vocabulary),
    Reader(
        "tokenizer_config.json",
        _json(
            {"eos_token": "<|endoftext|>", "add_bos_token": False},
            {
                "added_tokens_decoder": {"257": {"content": "x", "special": True}},
                "additional_special_tokens": [],
            },
        ),
        _special,
    ),
    Reader(
        "records", _json([_RECORD, _RECORD], _RECORD), _file("r.json", lambda path: list(read_records(path)))
    ),
    Reader(
        "prompts",
        _json({"prompt": "def f():\n"}, {"task_id": "1", "prefix": "a", "suffix": "b"}),
        _file("p.jsonl", lambda path: read_prompts(path, named=False)),
    ),
    Reader("samples", _json(_SAMPLE), _file("s.jsonl", lambda path: list(read_rows(path)))),
    Reader(
        "samples, gzipped",
        lambda: (gzip.compress(json.dumps(_SAMPLE).encode()),),
        _file("s.jsonl.gz", lambda path: list(read_rows(path))),
    ),
    Reader("benchmark", _json(_HUMANEVAL, _MBPP), _file("b.jsonl", load_benchmark)),
    Reader("history", _json(_RUN), _file("history.jsonl", read_history)),
    Reader("manifest.json", _json(_MANIFEST), _file("manifest.json", _manifest)),
    Reader("score.json", _json({"form": 1, "missing": [], "problems": []}), _file("score.json", read_report)),
    Reader("rank table", _json(_TABLE), _file("t.json", read_rank_table)),
    Reader(
        "hccn.conf",
        lambda: (b"address_0=192.168.100.101\nnetmask_0=255.255.255.0\n",),
        _file("h", read_hccn_conf),
    ),
    Reader("hub's answer", _json(_LISTING), _hub),
    Reader("web server's answer", lambda: _RESPONSES, _answer),
    Reader(
        "completion's answer",
        _json([1, {"tuple": [1.5, "x"]}, {"dict": [["a", {"int": "0xff"}]]}], {"value": {"set": [1]}}),
        _completion,
        (*_MALFORMED, ChannelClosed, Exception),
    ),
)


def _yaml(data: bytes) -> object:
    return parse_yaml(data.decode("utf-8"))
