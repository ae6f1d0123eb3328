"""Preprocessing beside `tokenizers`' own batch encoding of the same text, and where the time goes.

    python -m pytest -m benchmark -s tests/benchmarks/bench_preprocess.py
    python tests/benchmarks/bench_preprocess.py [records]

Uses the real CodeAlpaca records and vocabularies, repeated up to the number of records asked for with a
running number in each, so that no cache sees the same record twice. Prints a table; asserts no times.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from modelcore.config.reading import parse
from modelcore.data.encoding.chunks import Chunk, chunked
from modelcore.data.encoding.encode import Encoded
from modelcore.data.encoding.examine import Examiner, Plan
from modelcore.data.encoding.formats import FORMATS
from modelcore.data.encoding.rows import Padder, Rows, truncate
from modelcore.data.encoding.samples import read_samples
from modelcore.data.encoding.workers import worker_count
from modelcore.data.mindrecord.file import MindRecordWriter
from modelcore.data.options import Options
from modelcore.data.preprocess import preprocess
from modelcore.data.report import PreprocessReport
from modelcore.data.sources.json_records import read_records
from tests.paths import SHARED_DATA

VOCABULARIES = {"wizardcoder": "starcoder1", "llama": "llama2", "deepseek": "deepseek-coder"}
SEQ_LENGTH = 512
TURNS = 3


class Took(NamedTuple):
    """Seconds on the clock, and of all processors together (its ended children's included)."""

    wall: float
    cpu: float


def timed(work: Callable[[], object]) -> Took:
    wall, cpu = time.perf_counter(), cpu_seconds()
    work()
    return Took(time.perf_counter() - wall, cpu_seconds() - cpu)


def cpu_seconds() -> float:
    told = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in told)


def make_source(path: Path, records: int) -> None:
    """Write a JSON list of CodeAlpaca records, each with a number of its own."""
    own = json.loads((SHARED_DATA / "codealpaca" / "code_alpaca_2k.json").read_text(encoding="utf-8"))
    numbered = [
        {**own[i % len(own)], "instruction": f"{own[i % len(own)]['instruction']} (task {i})"}
        for i in range(records)
    ]
    path.write_text(json.dumps(numbered), encoding="utf-8")


def phases(source: Path, form: str, directory: Path, scratch: Path) -> tuple[dict[str, Took], list[str], int]:
    """Time each phase by itself, in one process; also return the texts tokenised and their tokens."""
    options = parse({"format": form, "seq_length": SEQ_LENGTH}, Options)
    report = PreprocessReport.empty(options)
    found: list[Encoded] = []
    rows: list[Rows] = []
    examiners: list[Examiner] = []
    padder = Padder(options.width, 0)
    writer = MindRecordWriter(scratch / "phases.mindrecord", padder.columns)

    def read() -> list[Chunk]:
        return list(chunked(read_samples(source, FORMATS[form], report, options)))

    def write() -> None:
        with writer:
            for part in rows:
                writer.write(part)

    chunks = read()
    contents: list[Any] = [sample for chunk in chunks for sample in chunk.contents]
    texts = [turn.prompt + turn.answer for sample in contents for turn in FORMATS[form].turns(sample)]
    took = {
        "load vocabulary": timed(lambda: examiners.append(Examiner(Plan(options, directory)))),
        "read": timed(lambda: list(read_records(source))),
        "read and template": timed(read),
        "tokenise": timed(lambda: found.extend(examiners[0](chunk.contents).encoded for chunk in chunks)),
        "rows": timed(lambda: rows.extend(padder.add(truncate(encoded, options.width)) for encoded in found)),
        "write": timed(write),
    }
    return took, texts, sum(len(encoded.ids) for encoded in found)


def bare_encoding(directory: Path, texts: list[str]) -> None:
    """Encode the same texts with the library alone, on all cores."""
    if (directory / "tokenizer.json").is_file():
        from tokenizers import Tokenizer

        Tokenizer.from_file(str(directory / "tokenizer.json")).encode_batch(texts)
    else:
        from sentencepiece import SentencePieceProcessor

        SentencePieceProcessor(model_file=str(directory / "tokenizer.model")).encode(texts)


def run(records: int) -> None:
    """Print the table of all formats."""
    print(f"\n{records} CodeAlpaca records, seq_length {SEQ_LENGTH}, {worker_count()} processors")
    print("seconds on the clock / seconds of all processors together")
    for form, vocabulary in VOCABULARIES.items():
        with tempfile.TemporaryDirectory() as name:
            run_format(form, SHARED_DATA / "tokenizers" / vocabulary, Path(name), records)


def run_format(form: str, directory: Path, scratch: Path, records: int) -> None:
    """Print one format's part of the table; library and ours take turns, the best of each counts."""
    source = scratch / "source.json"
    make_source(source, records)
    took, texts, tokens = phases(source, form, directory, scratch)
    print(f"\n{form} ({directory.name}), {tokens / records:.0f} tokens a record")
    print("  " + ", ".join(f"{phase} {t.wall:.2f}/{t.cpu:.2f}" for phase, t in took.items()))
    bare: list[Took] = []
    ours: dict[int, list[Took]] = {workers: [] for workers in sorted({1, worker_count()})}
    for turn in range(TURNS):
        bare.append(timed(lambda: bare_encoding(directory, texts)))
        for workers, found in ours.items():
            out = scratch / f"{workers}-{turn}.mindrecord"
            made = partial(preprocess, source, out, workers=workers, format=form, tokenizer_dir=directory)
            found.append(timed(partial(made, seq_length=SEQ_LENGTH)))
    library = best(bare)
    print(f"  library's own batch encoding: {library.wall:.2f}/{library.cpu:.2f} s", end="")
    print(f", {tokens / library.wall / 1e6:.2f} M tokens/s")
    for workers, found in ours.items():
        whole = best(found)
        print(f"  whole, {workers} process(es): {whole.wall:.2f}/{whole.cpu:.2f} s", end="")
        print(f", {records / whole.wall:,.0f} records/s, {tokens / whole.wall / 1e6:.2f} M tokens/s", end="")
        print(f"; {library.wall / whole.wall:.2f} of the library's speed", end="")
        print(f" ({library.cpu / whole.cpu:.2f} by processor time)")


def best(found: list[Took]) -> Took:
    return Took(min(took.wall for took in found), min(took.cpu for took in found))


def run_writers(rows: int) -> None:
    """Compare the MindRecord writers on padded rows: ours, and MindSpore's driven in several ways."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(60, 400, rows)
    ids = generator.integers(0, 49152, (rows, SEQ_LENGTH + 1)).astype(np.int32)
    padding = np.arange(SEQ_LENGTH + 1) >= lengths[:, None]
    made = Rows(np.where(padding, 49152, ids).astype(np.int32), np.where(padding, -100, ids).astype(np.int32))
    print(f"\nMindRecord, {rows} rows of 2 x {SEQ_LENGTH + 1} int32")
    with tempfile.TemporaryDirectory() as name:

        def ours() -> None:
            with MindRecordWriter(Path(name) / "ours.mindrecord", ("input_ids", "labels")) as writer:
                for at in range(0, rows, 512):
                    writer.write(made.part(at, at + 512))

        tell_writer("ours", timed(ours), made)
        for files, batch, parallel in (
            (1, 1, False),
            (1, 512, False),
            (1, 5000, False),
            (4, 5000, False),
            (4, 5000, True),
        ):
            path = Path(name) / f"theirs{files}-{batch}-{parallel}"
            took = timed(partial(drive_file_writer, made, path, files, batch, parallel))
            how = f"FileWriter, {files} file(s), {batch} rows a call{', parallel_writer' if parallel else ''}"
            tell_writer(how, took, made)


def drive_file_writer(rows: Rows, path: Path, files: int, batch: int, parallel: bool) -> None:
    """Write the rows with MindSpore's own FileWriter."""
    from mindspore.mindrecord import FileWriter

    writer = FileWriter(str(path), shard_num=files)
    writer.add_schema({name: {"type": "int32", "shape": [-1]} for name in ("input_ids", "labels")}, "rows")
    for at in range(0, len(rows.input_ids), batch):
        pairs = zip(rows.input_ids[at : at + batch], rows.labels[at : at + batch], strict=True)  # type: ignore[index]
        samples = [{"input_ids": ids, "labels": labels} for ids, labels in pairs]
        writer.write_raw_data(samples, parallel_writer=parallel)
    writer.commit()


def tell_writer(name: str, took: Took, rows: Rows) -> None:
    count, size = len(rows.input_ids), 2 * rows.input_ids.nbytes
    print(f"  {name}: {took.wall:.2f}/{took.cpu:.2f} s, {count / took.wall:,.0f} rows/s", end="")
    print(f", {size / took.wall / 1e6:.0f} MB/s of int32")


@pytest.mark.benchmark
def test_preprocessing_speed(shared_data: Path) -> None:
    run(20_000)
    run_writers(20_000)


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
    run_writers(20_000)
