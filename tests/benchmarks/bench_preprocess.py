"""Preprocessing beside `tokenizers`' own batch encoding of the same text, and where the time goes.

    python -m pytest -m benchmark -s tests/benchmarks/bench_preprocess.py
    python tests/benchmarks/bench_preprocess.py [records]

Uses the real CodeAlpaca records and vocabularies, repeated up to the number of records asked for with a
running number in each, so that no cache sees the same record twice. Prints a table; asserts no times.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from modelcore.data.chunks import chunked
from modelcore.data.examine import Examiner, Plan
from modelcore.data.formats import FORMATS
from modelcore.data.mindrecord import MindRecordWriter
from modelcore.data.options import Options
from modelcore.data.preprocess import preprocess
from modelcore.data.report import LengthHistogram, PreprocessReport
from modelcore.data.rows import Padder, Rows, cut
from modelcore.data.samples import read_samples
from modelcore.data.sources import read_records
from modelcore.data.workers import worker_count

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
VOCABULARIES = {"wizardcoder": "starcoder1", "llama": "llama2", "deepseek": "deepseek-coder"}
SEQ_LENGTH = 512


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def make_source(path: Path, records: int) -> None:
    """Write a JSON list of CodeAlpaca records, each with a number of its own."""
    own = json.loads((SHARED_DATA / "codealpaca" / "code_alpaca_2k.json").read_text(encoding="utf-8"))
    numbered = [
        {**own[i % len(own)], "instruction": f"{own[i % len(own)]['instruction']} (task {i})"}
        for i in range(records)
    ]
    path.write_text(json.dumps(numbered), encoding="utf-8")


def phases(source: Path, form: str, directory: Path, scratch: Path) -> dict[str, float]:
    """Time reading, encoding, assembling and writing one after another, in one process."""
    options = Options(format=form, seq_length=SEQ_LENGTH)
    examiner = Examiner(Plan(options, directory))
    report = PreprocessReport(form, "model", SEQ_LENGTH, None, LengthHistogram.for_width(options.width))
    chunks = list(chunked(read_samples(source, FORMATS[form], report, options)))
    texts = [turn.prompt + turn.answer for c in chunks for s in c.contents for turn in FORMATS[form].turns(s)]
    found, rows = [], []
    padder = Padder(options.width, 0)
    writer = MindRecordWriter(scratch / "phases.mindrecord", padder.columns)

    def write() -> None:
        with writer:
            for part in rows:
                writer.write(part)

    return {
        "bare": seconds(lambda: bare_encoding(directory, texts)),
        "read": seconds(lambda: list(read_records(source))),
        "template": seconds(lambda: list(chunked(read_samples(source, FORMATS[form], report, options)))),
        "tokenise": seconds(lambda: found.extend(examiner(chunk.contents).encoded for chunk in chunks)),
        "rows": seconds(lambda: rows.extend(padder.add(cut(encoded, options.width)) for encoded in found)),
        "write": seconds(write),
        "tokens": float(sum(len(encoded.ids) for encoded in found)),
    }


def bare_encoding(directory: Path, texts: list[str]) -> None:
    """Encode the same texts with the library alone, on all cores."""
    if (directory / "tokenizer.json").is_file():
        from tokenizers import Tokenizer

        Tokenizer.from_file(str(directory / "tokenizer.json")).encode_batch(texts)
    else:
        from sentencepiece import SentencePieceProcessor

        SentencePieceProcessor(model_file=str(directory / "tokenizer.model")).encode(texts)


def file_writer_seconds(rows: Rows, path: Path) -> float:
    """Time MindSpore's own FileWriter over the same rows, its import left out."""
    from mindspore.mindrecord import FileWriter

    def write() -> None:
        writer = FileWriter(str(path), shard_num=1)
        writer.add_schema(
            {name: {"type": "int32", "shape": [-1]} for name in ("input_ids", "labels")}, "rows"
        )
        for at in range(0, len(rows.input_ids), 512):
            pairs = zip(rows.input_ids[at : at + 512], rows.labels[at : at + 512], strict=True)  # type: ignore[index]
            writer.write_raw_data([{"input_ids": ids, "labels": labels} for ids, labels in pairs])
        writer.commit()

    return seconds(write)


def run(records: int) -> None:
    """Print the table of all formats."""
    print(f"\n{records} CodeAlpaca records, seq_length {SEQ_LENGTH}, {worker_count()} processors")
    for form, vocabulary in VOCABULARIES.items():
        with tempfile.TemporaryDirectory() as name:
            run_format(form, SHARED_DATA / "tokenizers" / vocabulary, Path(name), records)


def run_format(form: str, directory: Path, scratch: Path, records: int) -> None:
    """Print one format's part of the table."""
    source = scratch / "source.json"
    make_source(source, records)
    timed = phases(source, form, directory, scratch)
    tokens, bare = timed.pop("tokens"), timed.pop("bare")
    print(f"\n{form} ({directory.name}), {tokens / records:.0f} tokens a record")
    print("  one process: " + ", ".join(f"{phase} {took:.2f} s" for phase, took in timed.items()))
    print(f"  library's own batch encoding: {bare:.2f} s, {tokens / bare / 1e6:.2f} M tokens/s")
    for workers in sorted({1, worker_count()}):
        made = partial(preprocess, source, scratch / f"workers{workers}", workers=workers)
        took = seconds(partial(made, format=form, tokenizer_dir=directory, seq_length=SEQ_LENGTH))
        speed = f"{records / took:,.0f} records/s, {tokens / took / 1e6:.2f} M tokens/s"
        print(
            f"  whole, {workers} worker(s): {took:.2f} s, {speed}, {bare / took:.2f} of the library's speed"
        )


def run_writers(rows: int) -> None:
    """Compare the two MindRecord writers on padded rows."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(60, 400, rows)
    ids = generator.integers(0, 49152, (rows, SEQ_LENGTH + 1)).astype(np.int32)
    padding = np.arange(SEQ_LENGTH + 1) >= lengths[:, None]
    made = Rows(np.where(padding, 49152, ids).astype(np.int32), np.where(padding, -100, ids).astype(np.int32))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ours.mindrecord"

        def write() -> None:
            with MindRecordWriter(path, ("input_ids", "labels")) as writer:
                for at in range(0, rows, 512):
                    writer.write(Rows(*(part[at : at + 512] for part in made if part is not None)))

        ours, theirs = seconds(write), file_writer_seconds(made, Path(name) / "theirs.mindrecord")
    print(f"\nMindRecord, {rows} rows of 2 x {SEQ_LENGTH + 1}: ours {rows / ours:,.0f} rows/s, ", end="")
    print(f"FileWriter {rows / theirs:,.0f} rows/s")


@pytest.mark.benchmark
def test_preprocessing_speed(shared_data: Path) -> None:
    run(20_000)
    run_writers(20_000)


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
    run_writers(20_000)
