"""Preprocessing from source to rows, on small vocabularies: what is written, counted and refused."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.data.mindrecord.decode import decode_rows
from modelcore.data.mindrecord.file import inspect_mindrecord, read_mindrecord
from modelcore.data.mindrecord.output import report_path, rows_path, validation_path
from modelcore.data.preprocess import preprocess
from modelcore.data.report import PreprocessReport
from modelcore.data.tokenizers import load_tokenizer
from modelcore.errors import MindrailError
from tests.paths import ROOT

WORDS = ["add", "sort", "list", "task", "function", "return", "loop", "for", "console", "quick", "fox", "dog"]


def records(count: int, seed: int = 0, length: int = 12) -> list[dict[str, str]]:
    chosen = random.Random(seed)
    return [
        {
            "instruction": " ".join(chosen.choices(WORDS, k=length)),
            "input": " ".join(chosen.choices(WORDS, k=3)) if chosen.random() < 0.5 else "",
            "output": " ".join(chosen.choices(WORDS, k=length)),
        }
        for _ in range(count)
    ]


@pytest.fixture
def run(tmp_path: Path, vocab_merges_dir: Path):
    """Preprocess some records; returns the report and the directory."""
    numbers = iter(range(1000))

    def preprocessed(data: Any, **choices: Any) -> tuple[PreprocessReport, Path]:
        number = next(numbers)
        source = tmp_path / f"source{number}.json"
        source.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
        out = tmp_path / f"rows{number}.mindrecord"
        options = {"format": "wizardcoder", "tokenizer_dir": vocab_merges_dir, "seq_length": 256, **choices}
        return preprocess(source, out, **options), out

    return preprocessed


def rows(out: Path) -> list[dict[str, np.ndarray]]:
    return list(read_mindrecord(out))


def beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir() if path.name.startswith(out.stem))


def digests(out: Path) -> list[str]:
    """Digests of all files; the index is compared by its contents, because it has the file's name."""
    index = sqlite3.connect(f"{out}.db").execute("SELECT * FROM INDEXES").fetchall()
    kept = out.read_bytes().replace(out.name.encode(), b"rows")
    made = (kept, repr(index).encode(), report_path(out).read_bytes())
    return [hashlib.sha256(part).hexdigest() for part in made]


def test_every_record_becomes_a_row_with_one_token_more_than_the_network_reads(run) -> None:
    report, out = run(records(30))
    assert beside(out) == ["rows0.mindrecord", "rows0.mindrecord.db", "rows0.report.json"]
    assert (report.records_in, report.rows_out, report.losses) == (30, 30, {})
    assert all(row["input_ids"].shape == row["labels"].shape == (257,) for row in rows(out))
    assert report.trained_tokens == sum(int((row["labels"] != -100).sum()) for row in rows(out))
    assert PreprocessReport.read(report_path(out)) == report


def test_equal_input_gives_equal_bytes_with_any_number_of_workers(run) -> None:
    data = records(2300, length=5)
    made = [digests(run(data, workers=workers)[1]) for workers in (1, 1, 2)]
    assert made[0] == made[1] == made[2]


def test_rows_decode_to_prompt_answer_and_padding(run, vocab_merges_dir: Path) -> None:
    data = records(3)
    report, out = run(data)
    masked, trained, padding = decode_rows(out, load_tokenizer(vocab_merges_dir), [1])[0]
    assert (masked.kind, trained.kind, padding.kind) == ("masked", "trained", "padding")
    assert trained.text == data[1]["output"] + "<|endoftext|>"
    assert masked.text.endswith("### Response:") and data[1]["instruction"] in masked.text
    assert masked.tokens + trained.tokens + padding.tokens == 257
    assert report.first_rows[1] == [masked, trained, padding]


def test_truncated_tokens_are_counted(run) -> None:
    data = [
        *records(2),
        {"instruction": "add", "output": "loop " * 400},
        {"instruction": "x " * 900, "output": "y"},
    ]
    report, _out = run(data)
    assert (report.truncated, report.wholly_masked, report.rows_out) == (2, 1, 3)
    assert report.listed == {"truncated": [3, 4], "wholly_masked": [4]}
    assert report.tokens_lost > 400 and report.lengths.longest > 500
    assert sum(report.lengths.counts) == 4


def test_strict_fails_on_any_loss_and_leaves_nothing(run, tmp_path: Path) -> None:
    data = [*records(2), {"instruction": "add", "output": "loop " * 400}]
    with pytest.raises(MindrailError, match="strict: 1 truncated of 3 records"):
        run(data, strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["source0.json"]


def test_an_empty_answer_has_its_end_token_in_the_loss(run) -> None:
    report, _out = run([{"instruction": "add", "output": ""}])
    assert report.empty_answers == 1 and report.trained_tokens == 1


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"instruction": "add"}, "record 2, field 'output': missing; the record has ['instruction']"),
        ({"instruction": 3, "output": ""}, "record 2, field 'instruction': a int, expected text"),
        ({"instruction": "a", "output": ["b"]}, "record 2, field 'output': a list, expected text"),
        (
            {"instruction": "a", "input": 1, "output": "b"},
            "record 2, field 'input': a int, expected text",
        ),
        ({"instruction": "a", "output": "\ud800"}, "record 2, field 'output': lone surrogate U+D800"),
        ({"conversations": []}, "record 2, field 'conversations': not a list of turns"),
        ({"conversations": [{"from": "human"}]}, "field 'conversations[0].value': missing"),
        ({"conversations": [{"from": "gpt", "value": "x"}]}, "turn 1 is from 'gpt', expected 'human'"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "the last question has no answer"),
        ([1], "record 2: a JSON list, expected an object"),
    ],
)
def test_a_bad_record_is_named_or_skipped_and_counted(run, record: Any, message: str) -> None:
    data = [records(1)[0], record, records(1, seed=1)[0]]
    with pytest.raises(MindrailError) as caught:
        run(data)
    assert message in str(caught.value)
    report, _out = run(data, skip_bad=True)
    assert (report.records_in, report.bad, report.rows_out) == (3, 1, 2)
    assert message.removeprefix("record 2, ") in report.messages[0] and "/" not in report.messages[0]
    with pytest.raises(MindrailError, match="strict: 1 bad of 3"):
        run(data, skip_bad=True, strict=True)


def test_bytes_that_are_not_utf8_are_reported_with_their_field(
    tmp_path: Path, vocab_merges_dir: Path
) -> None:
    source = tmp_path / "s.json"
    source.write_bytes(b'[{"instruction": "caf\xe9", "output": "x"}]')
    options: dict[str, Any] = {"format": "wizardcoder", "tokenizer_dir": vocab_merges_dir, "seq_length": 64}
    with pytest.raises(MindrailError, match=r"record 1, field 'instruction': not UTF-8 \(byte 0xe9\)"):
        preprocess(source, tmp_path / "rows.mindrecord", **options)


def test_a_source_without_one_usable_record_is_refused(run) -> None:
    with pytest.raises(MindrailError, match="no rows from its 0 records"):
        run("[]")
    with pytest.raises(MindrailError, match="no rows from its 1 records"):
        run([{}], skip_bad=True)


def test_an_existing_destination_is_left_alone(run, tmp_path: Path) -> None:
    (tmp_path / "rows0.mindrecord").write_text("precious")
    with pytest.raises(MindrailError, match="exists already"):
        run(records(2))
    assert (tmp_path / "rows0.mindrecord").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows0.mindrecord", "source0.json"]


def test_exact_duplicates_are_removed_on_request(run) -> None:
    data = records(10)
    report, _ = run([*data, *data[3:6]])
    assert report.rows_out == 13 and report.duplicates == 0
    report, _ = run([*data, *data[3:6]], drop_duplicates=True)
    assert (report.rows_out, report.duplicates, report.listed["duplicates"]) == (10, 3, [11, 12, 13])
    assert report.losses == {}


def test_near_duplicates_are_reported_or_dropped(run) -> None:
    data = records(30, length=60)
    near = {**data[4], "output": data[4]["output"] + " indeed"}
    report, _ = run([*data, near], near_duplicates="report", seq_length=600)
    assert (report.near_duplicates, report.listed["near_duplicates"], report.rows_out) == (1, [31], 31)
    report, _ = run([*data, near], near_duplicates="drop", seq_length=600, workers=2)
    assert (report.near_duplicates, report.rows_out) == (1, 30)


def test_the_validation_split_depends_on_content_alone(run) -> None:
    data = records(400)
    report, out = run(data, validation=0.25)
    train, validation = rows(out), rows(validation_path(out))
    assert (
        report.validation_rows == len(validation) and report.rows_out == len(train) + len(validation) == 400
    )
    assert 60 < len(validation) < 140
    shuffled = random.Random(1).sample(data, 400)
    _, again = run([*shuffled, *shuffled[:50]], validation=0.25)
    held = {row["input_ids"].tobytes() for row in validation}
    assert held == {row["input_ids"].tobytes() for row in rows(validation_path(again))}
    assert not held & {row["input_ids"].tobytes() for row in rows(again)}


def test_packing_puts_several_samples_in_a_row_with_their_boundaries(run) -> None:
    data = records(60)
    plain, _ = run(data)
    report, out = run(data, pack=True, seq_length=600)
    assert inspect_mindrecord(out).columns.keys() == {"input_ids", "labels", "segments"}
    packed = rows(out)
    assert report.rows_out == len(packed) < 30 and report.tokens == plain.tokens
    assert sum(int(row["segments"].max()) for row in packed) == 60
    for row in packed:
        starts = np.flatnonzero(np.diff(row["segments"], prepend=0) > 0)
        assert (row["labels"][starts] == -100).all()
        assert (row["labels"][row["segments"] == 0] == -100).all()
        assert ((row["labels"] == -100) | (row["labels"] == row["input_ids"])).all()
    assert report.trained_tokens == plain.trained_tokens
    assert "segments" in report.notes[-1] and "attend to those before them" in report.notes[-1]


def test_rows_can_be_spread_over_files_of_a_size(run) -> None:
    data = records(1100, length=2)
    _, one = run(data)
    report, out = run(data, rows_per_file=500)
    found = [rows(rows_path(out, number)) for number in range(3)]
    assert [len(part) for part in found] == [500, 500, 100] and report.rows_out == 1100
    spread = [row["input_ids"].tobytes() for part in found for row in part]
    assert spread == [row["input_ids"].tobytes() for row in rows(one)]


def test_conversations_and_instructions_are_detected_record_by_record(run, sentencepiece_dir: Path) -> None:
    turns = [{"from": who, "value": f"{who} says"} for who in ("human", "gpt", "user", "assistant")]
    data = [
        records(1)[0],
        {"conversations": turns},
        {"conversations": [{"from": "system", "value": "Hm."}, *turns]},
    ]
    report, out = run(data, format="llama", tokenizer_dir=sentencepiece_dir, seq_length=900)
    assert report.rows_out == 3
    spans = decode_rows(out, load_tokenizer(sentencepiece_dir), [2])[0]
    assert [span.text for span in spans if span.kind == "trained"] == [" gpt says</s>", " assistant says</s>"]
    assert spans[0].text.startswith("<s>Hm. USER: human says ASSISTANT:")
    with pytest.raises(MindrailError, match="wizardcoder format has one question"):
        run(data)


def test_texts_become_one_stream_cut_into_full_rows(run, vocab_merges_dir: Path) -> None:
    tokenizer = load_tokenizer(vocab_merges_dir)
    texts = [" ".join(random.Random(i).choices(WORDS, k=30)) for i in range(40)]
    data = "\n".join(json.dumps({"text" if i % 2 else "content": text}) for i, text in enumerate(texts))
    report, out = run(data, format="text", seq_length=63)
    stream = [number for text in texts for number in (*tokenizer.encode(text), 0)]
    made = np.concatenate([row["input_ids"] for row in rows(out)])
    assert made.tolist() == stream[: len(made)] and len(stream) - len(made) == report.dropped_tokens < 64
    assert report.tokens == report.trained_tokens == len(made) and report.pad_id is None
    assert rows(out)[0].keys() == {"input_ids"}


def test_wikitext_loses_its_headings_and_separators(run, sentencepiece_dir: Path) -> None:
    text = ' = Title = \n \n The " fox " ( 1 @,@ 000 ) ran . It \'s fast \n and red . \n \n = = Sub = = \n'
    text += " \n End . \n"
    report, out = run(text, format="wiki", tokenizer_dir=sentencepiece_dir, seq_length=5)
    assert report.records_in == 2
    shown = load_tokenizer(sentencepiece_dir).decode(
        [number for row in rows(out) for number in row["input_ids"].tolist()], skip_special=False
    )
    assert shown.startswith('<s>The "fox" (1,000) ran. It\'s fast\nand red.</s><s>')


@pytest.mark.parametrize("form", ["wizardcoder", "text", "wiki"])
def test_a_gzipped_source_gives_the_rows_of_the_plain_one(
    tmp_path: Path, vocab_merges_dir: Path, form: str
) -> None:
    sources = {
        "wizardcoder": json.dumps(records(5)),
        "text": "".join(json.dumps({"content": text["output"]}) + "\n" for text in records(20)),
        "wiki": " = Title = \n \n" + " \n \n".join(text["output"] for text in records(20)),
    }
    made = []
    for name, data in (("plain", sources[form].encode()), ("packed", gzip.compress(sources[form].encode()))):
        (tmp_path / name).write_bytes(data)
        out = tmp_path / f"{name}.mindrecord"
        preprocess(tmp_path / name, out, format=form, tokenizer_dir=vocab_merges_dir, seq_length=100)
        made.append([row["input_ids"].tolist() for row in rows(out)])
    assert made[0] == made[1] != []


def test_a_source_is_opened_for_reading_only(tmp_path: Path, vocab_merges_dir: Path) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps(records(3)))
    program = (
        "import os, sys; from pathlib import Path; from modelcore.data.preprocess import preprocess\n"
        "flags = set()\n"
        "sys.addaudithook(lambda event, args: flags.add(args[2] & os.O_ACCMODE)\n"
        "    if event == 'open' and str(args[0]) == sys.argv[1] else None)\n"
        "preprocess(Path(sys.argv[1]), Path(sys.argv[2]), format='wizardcoder', "
        "tokenizer_dir=Path(sys.argv[3]), seq_length=100)\n"
        "print(flags == {os.O_RDONLY})"
    )
    command = [
        sys.executable,
        "-c",
        program,
        str(source),
        str(tmp_path / "s.mindrecord"),
        str(vocab_merges_dir),
    ]
    root = ROOT
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"seq_length": 0}, "seq_length: input should be greater than or equal to 1, not 0"),
        ({"format": "vicuna"}, "format: input should be 'wizardcoder', 'llama'"),
        ({"compat": "x"}, "compat: input should be 'model' or 'mindformers', not \"x\""),
        ({"validation": 1.0}, "validation: input should be less than 1, not 1.0"),
        ({"format": "text", "pack": True}, "pack is true, but format text fills its rows anyway"),
        ({"near_threshold": 0}, "near_threshold: input should be greater than 0"),
        ({"ngram": 1}, "ngram: input should be greater than or equal to 3, not 1"),
        ({"compat": "mindformers", "pack": True}, "compat is mindformers, which has no pack"),
    ],
)
def test_invalid_options_are_refused_by_name(run, choices: dict[str, Any], message: str) -> None:
    with pytest.raises(MindrailError) as caught:
        run(records(1), **choices)
    assert message in str(caught.value)


def test_progress_is_called_with_the_records_done(run) -> None:
    reported: list[float] = []
    run(records(2500, length=2), progress=lambda done, total, unit, note="": reported.append(done))
    assert reported == sorted(reported) and reported[-1] == 2500 and len(reported) >= 3


def test_nothing_is_left_when_writing_fails(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelcore.data.preprocess.Sinks.finish", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(records(3))
    assert [path.name for path in tmp_path.iterdir()] == ["source0.json"]


def test_texts_that_are_bad_or_empty_are_counted(run) -> None:
    data = [{"text": "one"}, {"title": "x"}, {"text": ""}, {"content": 3}, {"content": "two"}]
    with pytest.raises(MindrailError, match="record 2, field 'text': missing"):
        run(data, format="text", seq_length=1)
    report, out = run(data, format="text", seq_length=1, skip_bad=True)
    assert (report.records_in, report.bad, report.empty_answers) == (5, 2, 1)
    assert report.listed["empty_answers"] == [3]
    assert [message.partition(":")[0] for message in report.messages] == [
        "record 2, field 'text'",
        "record 4, field 'content'",
    ]
    assert len(rows(out)) >= 2


def test_several_files_are_read_in_order_and_an_error_names_file_and_record(
    tmp_path: Path, vocab_merges_dir: Path
) -> None:
    parts = [tmp_path / "b.json", tmp_path / "a.jsonl"]
    parts[0].write_text(json.dumps(records(3)))
    parts[1].write_text("".join(json.dumps(one) + "\n" for one in records(2, seed=1)))
    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps(records(3) + records(2, seed=1)))
    options: dict[str, Any] = {"tokenizer_dir": vocab_merges_dir, "seq_length": 256}
    one = preprocess(parts, tmp_path / "parts.mindrecord", **options)
    other = preprocess(whole, tmp_path / "one.mindrecord", **options)
    assert one.to_json() == other.to_json()
    for row, expected in zip(
        rows(tmp_path / "parts.mindrecord"), rows(tmp_path / "one.mindrecord"), strict=True
    ):
        assert np.array_equal(row["input_ids"], expected["input_ids"])
    with parts[1].open("a") as file:
        file.write('{"instruction": 3}\n')
    with pytest.raises(MindrailError, match=r"a\.jsonl, record 3, field 'instruction'"):
        preprocess(parts, tmp_path / "bad.mindrecord", **options)
    skipped = preprocess(parts, tmp_path / "skipped.mindrecord", skip_bad=True, **options)
    assert [message[:20] for message in skipped.messages] == ["a.jsonl, record 3, f"]


def test_records_are_numbered_through_over_several_files(tmp_path: Path, vocab_merges_dir: Path) -> None:
    parts = [tmp_path / "a.json", tmp_path / "b.json"]
    for part in parts:
        part.write_text(json.dumps(records(4)))
    options: dict[str, Any] = {"tokenizer_dir": vocab_merges_dir, "seq_length": 256}
    report = preprocess(parts, tmp_path / "rows.mindrecord", drop_duplicates=True, **options)
    assert report.listed["duplicates"] == [5, 6, 7, 8]
