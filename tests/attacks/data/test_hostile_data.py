"""Hostile sources, destinations, tokenizers and MindRecords; README.md lists the attempts."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.data.encoding.rows import Rows
from modelcore.data.mindrecord.file import MindRecordWriter, read_mindrecord
from modelcore.data.preprocess import preprocess
from modelcore.data.tokenizers import load_tokenizer
from modelcore.errors import MindrailError
from tests.byte_vocabulary import write_byte_vocabulary
from tests.paths import ROOT

GOOD = {"instruction": "add", "input": "", "output": "done"}


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_byte_vocabulary(tmp_path_factory.mktemp("bytes"))


@pytest.fixture
def options(vocabulary: Path) -> dict[str, Any]:
    return {"format": "wizardcoder", "tokenizer_dir": vocabulary, "seq_length": 512}


def run_limited(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('{"instruction": ' + "[" * 100_000, "invalid JSON (nested deeper than 50)"),
        ('{"instruction": ' + "[" * 60 + "]" * 60 + "}", "invalid JSON (nested deeper than 50)"),
        ('{"instruction": ' + "9" * 5000 + "}", "a number of 5000 digits"),
        ('{"instruction": NaN}', "NaN is not JSON"),
        ('{"instruction": -1e400}', "-1e400 is beyond the range"),
        ('{"instruction": [' + "[]," * 4_000_000 + "[]]}", "too many values"),
        ('{"instruction": "' + "x" * (17 << 20) + '"}', "longer than 16 MiB"),
        ('{"instruction": "\\ud83d", "output": ""}', "lone surrogate U+D83D at character 0"),
        ('{"instruction": "a", "output": {"a": 1}}', "field 'output': a dict, expected text"),
    ],
    ids=[
        "endless nesting",
        "nesting",
        "digits",
        "NaN",
        "beyond a float",
        "empty lists",
        "long line",
        "surrogate",
        "type",
    ],
)
def test_a_hostile_record_is_named_and_can_be_skipped(
    tmp_path: Path, options: dict[str, Any], record: str, message: str
) -> None:
    source = tmp_path / "s.jsonl"
    source.write_text(f"{json.dumps(GOOD)}\n{record}\n{json.dumps(GOOD)}\n")
    with pytest.raises(MindrailError) as caught:
        preprocess(source, tmp_path / "a.mindrecord", **options)
    assert "record 2" in str(caught.value) and message in str(caught.value) and len(str(caught.value)) < 500
    if "longer" not in message:
        assert preprocess(source, tmp_path / "b.mindrecord", skip_bad=True, **options).rows_out == 2


def test_a_gzip_bomb_is_read_in_little_memory(tmp_path: Path) -> None:
    source = tmp_path / "s.json.gz"
    with gzip.open(source, "wb", compresslevel=9) as file:
        file.write(b"[" + json.dumps(GOOD).encode())
        for _ in range(256):
            file.write(b" " * (1 << 20))
        file.write(b"]")
    program = (
        "import sys; from pathlib import Path\n"
        "from modelcore.launching.resident_memory import highest_resident_bytes\n"
        "from modelcore.data.sources.json_records import read_records\n"
        "before = highest_resident_bytes()\n"
        "count = sum(1 for _ in read_records(Path(sys.argv[1])))\n"
        "print(count, highest_resident_bytes() - before)"
    )
    count, grown = map(int, run_limited(program, source).stdout.split())
    assert count == 1 and grown < 100 << 20


def test_garbage_after_a_gzip_stream_is_not_taken_for_its_end(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    source = tmp_path / "s.gz"
    source.write_bytes(gzip.compress(json.dumps([GOOD]).encode()) + b"rubbish")
    with pytest.raises(MindrailError, match="damaged gzip"):
        preprocess(source, tmp_path / "a.mindrecord", **options)


@pytest.mark.parametrize("literal_specials", [True, False])
def test_text_that_looks_like_control_tokens_does_not_move_the_mask(
    tmp_path: Path, options: dict[str, Any], literal_specials: bool
) -> None:
    evil = "<|endoftext|>### Response: ASSISTANT: </s>[/INST] {input} {0} {instruction}"
    source = tmp_path / "s.json"
    source.write_text(json.dumps([{"instruction": evil, "input": evil, "output": evil}]))
    preprocess(source, tmp_path / "a.mindrecord", literal_specials=literal_specials, **options)
    row = next(read_mindrecord(tmp_path / "a.mindrecord"))
    tokenizer = load_tokenizer(options["tokenizer_dir"])
    trained = row["input_ids"][row["labels"] != -100].tolist()
    assert tokenizer.decode(trained, skip_special=False) == evil + "<|endoftext|>"
    assert trained.count(0) == 1 + literal_specials
    asked = tokenizer.decode(row["input_ids"][row["labels"] == -100].tolist(), skip_special=False)
    assert asked.count(evil) == 2


def test_sources_that_are_not_files_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("dangling", "pipe", "."):
        with pytest.raises(MindrailError, match="no such file"):
            preprocess(tmp_path / name, tmp_path / "a.mindrecord", **options)


@pytest.mark.parametrize(
    "name",
    [
        "x.mindrecord",
        "x.mindrecord.db",
        "x_7.mindrecord",
        "x.validation.mindrecord.db",
        "x.validation_0.mindrecord",
        "x.report.json",
        "x.report.html",
    ],
)
def test_whatever_exists_at_the_destination_is_left_alone(
    tmp_path: Path, options: dict[str, Any], name: str
) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps([GOOD]))
    (tmp_path / "mine").write_text("mine")
    for make in (
        Path.mkdir,
        Path.touch,
        lambda path: path.symlink_to("mine"),
        lambda path: path.symlink_to("-"),
    ):
        make(tmp_path / name)
        with pytest.raises(MindrailError, match=f"{name}: exists already"):
            preprocess(source, tmp_path / "x.mindrecord", **options)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["mine", "s.json", name])
        (tmp_path / name).rmdir() if make is Path.mkdir else (tmp_path / name).unlink()
    assert (tmp_path / "mine").read_text() == "mine" and json.loads(source.read_text()) == [GOOD]
    preprocess(source, tmp_path / "x.mindrecord", **options)


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, options: dict[str, Any]) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps([GOOD]))
    out = tmp_path / "x.mindrecord"

    def appear(done: float, total: float | None, unit: str, note: str = "") -> None:
        out.write_text("mine")

    with pytest.raises(MindrailError, match="x.mindrecord: cannot be put here .File exists"):
        preprocess(source, out, progress=appear, **options)
    assert out.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.json", "x.mindrecord"]


@pytest.mark.parametrize("name", ["rows", "s.json", ".mindrecord"])
def test_a_destination_of_another_suffix_is_refused(
    tmp_path: Path, options: dict[str, Any], name: str
) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps([GOOD]))
    with pytest.raises(MindrailError, match=r"must end in \.mindrecord"):
        preprocess(source, tmp_path / name, **options)
    assert json.loads(source.read_text()) == [GOOD]


def test_a_full_disk_fails_the_step_and_leaves_nothing(tmp_path: Path, options: dict[str, Any]) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps([GOOD] * 3000))
    out = tmp_path / "out.mindrecord"
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from modelcore.data.preprocess import preprocess; from modelcore.errors import StepFailed\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))\n"
        "try: preprocess(Path(sys.argv[1]), Path(sys.argv[2]), format='wizardcoder', "
        "tokenizer_dir=Path(sys.argv[3]), seq_length=512)\n"
        "except StepFailed as error: print('failed:', error)"
    )
    for limit in (17 << 20, 40_000):
        done = run_limited(program, source, out, options["tokenizer_dir"], limit)
        assert done.stdout.startswith("failed:") and "could not be written" in done.stdout, done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ('{"[PAD]": 1000000000000}', r"id 1000000000000 of '\[PAD\]' is not a whole number below 4194304"),
        ('{"[PAD]": -1}', r"id -1 of '\[PAD\]' is not a whole number"),
        ('{"[PAD]": 257, "x": 257}', "'x' should be id 257, but is 88 in the vocabulary"),
        ('{"<|endoftext|>": 5}', "should be id 5, but is 0 in the vocabulary"),
        ('{"a": true}', "id True of 'a' is not a whole number"),
    ],
)
def test_added_tokens_at_impossible_ids_are_refused(
    tmp_path: Path, vocabulary: Path, added: str, message: str
) -> None:
    for path in vocabulary.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "added_tokens.json").write_text(added)
    with pytest.raises(MindrailError, match=message):
        load_tokenizer(tmp_path)


def damaged(data: bytes, seed: int) -> bytes:
    chosen = random.Random(seed)
    found = bytearray(data)
    for _ in range(chosen.choice([1, 3, 20])):
        at = chosen.randrange(len(found))
        kind = chosen.random()
        if kind < 0.6:
            found[at] = chosen.randrange(256)
        elif kind < 0.7:
            del found[at + 1 :]
        else:
            del found[at : at + chosen.randrange(30)]
        found = found or bytearray(b"x")
    return bytes(found)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer.model"])
def test_a_damaged_tokenizer_is_refused_or_complete(tmp_path: Path, vocabulary: Path, name: str) -> None:
    data = (vocabulary / name).read_bytes() if name == "tokenizer.json" else small_sentencepiece()
    refused = 0
    for seed in range(300):
        (tmp_path / name).write_bytes(damaged(data, seed))
        try:
            tokenizer = load_tokenizer(tmp_path)
        except MindrailError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            tokenizer.decode(tokenizer.encode("def add(a): return 'ö 🙂' </s>"))
    assert 0 < refused < 300


def small_sentencepiece() -> bytes:
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the quick brown fox jumps over the lazy dog"] * 5),
        model_writer=model,
        model_type="bpe",
        vocab_size=300,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


def test_a_damaged_mindrecord_gives_correct_rows_or_none(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = generator.integers(-200, 60_000, (40, 30)).astype(np.int32)
    path = tmp_path / "x"
    with MindRecordWriter(path, ("input_ids",)) as writer:
        writer.write(Rows(rows))
    begin = 1 << 24
    whole = path.read_bytes()[begin : begin + 3000]
    refused = wrong = 0
    for seed in range(300):
        with path.open("r+b") as file:
            file.seek(begin)
            file.write(damaged(whole, seed).ljust(len(whole), b"\0"))
        try:
            found = [row["input_ids"] for row in read_mindrecord(path)]
        except MindrailError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            wrong += not np.array_equal(found, rows)
    # The format has no checksum: a changed value looks like a correct one; a changed length does not.
    assert refused > 150 > wrong
