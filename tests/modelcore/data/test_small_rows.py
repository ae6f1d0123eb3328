"""Rows of small samples compared with rows of the tokenizer libraries, in both compats.

What `test_golden.py` shows with real vocabularies and data where these are there, this shows everywhere.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from modelcore.data.mindrecord.file import read_mindrecord
from modelcore.data.preprocess import preprocess
from modelcore.data.report import PreprocessReport
from tests.modelcore.data import reference_rows as reference
from tests.modelcore.data.conftest import DEEPSEEK_SPECIALS, STARCODER_SPECIALS
from tests.modelcore.data.small_samples import MINDFORMERS_PARAGRAPHS, PARAGRAPHS, RECORDS, WIKITEXT

WIDTH = 513
COMPAT = ("model", "mindformers")
QUESTIONS = [reference.alpaca(record) for record in RECORDS]
ANSWERS = [record["output"] for record in RECORDS]

Samples = list[reference.Sample]


def preprocessed(
    scratch: Path, form: str, vocabulary: Path, compat: str, pad_id: int | None = None
) -> tuple[dict[str, np.ndarray], PreprocessReport]:
    """Return the columns of the rows of the small samples, and the report on them."""
    source, out = scratch / "source", scratch / "rows.mindrecord"
    source.write_text(WIKITEXT if form == "wiki" else json.dumps(RECORDS), encoding="utf-8")
    report = preprocess(
        source,
        out,
        format=form,
        tokenizer_dir=vocabulary,
        seq_length=20 if form == "wiki" else WIDTH - 1,
        compat=compat,
        pad_id=pad_id,
    )
    rows = list(read_mindrecord(out))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}, report


def assert_rows(found: dict[str, np.ndarray], samples: dict[str, Samples], compat: str, pad: int) -> None:
    """Compare rows; only MindFormers keeps one without tokens in the loss."""
    kept = [sample for sample in samples[compat] if compat == "mindformers" or any(sample.trained[:WIDTH])]
    ids, labels = reference.padded(kept, WIDTH, pad)
    np.testing.assert_array_equal(found["input_ids"], ids)
    np.testing.assert_array_equal(found["labels"], labels)


def different(samples: dict[str, Samples]) -> list[int]:
    """Return the records whose samples differ between the two compats."""
    pairs = zip(samples["model"], samples["mindformers"], strict=True)
    return [number for number, (own, peer) in enumerate(pairs) if own != peer]


def starcoder_samples(directory: Path) -> dict[str, Samples]:
    end = STARCODER_SPECIALS[0]
    own = reference.starcoder(directory, STARCODER_SPECIALS, digits=True)
    peer = reference.starcoder(directory, [end], digits=False)
    return {
        "model": reference.by_offsets(own, QUESTIONS, ANSWERS, eos=end),
        "mindformers": reference.by_prompt_length(peer, QUESTIONS, ANSWERS, eos=end),
    }


@pytest.mark.parametrize("compat", COMPAT)
def test_wizardcoders_rows_are_the_librarys(compat: str, vocab_merges_dir: Path, tmp_path: Path) -> None:
    samples = starcoder_samples(vocab_merges_dir)
    pad = len(json.loads((vocab_merges_dir / "vocab.json").read_text()))  # [PAD], the one added token
    found, _ = preprocessed(tmp_path, "wizardcoder", vocab_merges_dir, compat)
    assert_rows(found, samples, compat, pad)
    # Several spaces before a digit; a special token of StarCoder's written out.
    assert different(samples) == [2, 3]


def deepseek_samples(directory: Path) -> dict[str, Samples]:
    inputs = [f"\n{record['input']}" if record["input"] else "" for record in RECORDS]
    tasks = [record["instruction"] for record in RECORDS]
    whole = [reference.DEEPSEEK.format(instruction=f"{t}{i}") for t, i in zip(tasks, inputs, strict=True)]
    bare = [reference.DEEPSEEK.format(instruction=task) for task in tasks]
    answers = [f"{answer}\n" for answer in ANSWERS]
    bos, eos = DEEPSEEK_SPECIALS[0], DEEPSEEK_SPECIALS[2]
    own, peer = (reference.deepseek(directory, none_is_special=special) for special in (False, True))
    return {
        "model": reference.by_offsets(own, whole, answers, bos=bos, eos=eos),
        "mindformers": reference.by_prompt_length(peer, bare, answers, bos=bos, eos=eos),
    }


@pytest.mark.parametrize("compat", COMPAT)
def test_deepseeks_rows_are_the_librarys(compat: str, tokenizer_json_dir: Path, tmp_path: Path) -> None:
    samples = deepseek_samples(tokenizer_json_dir)
    pad = Tokenizer.from_file(str(tokenizer_json_dir / "tokenizer.json")).token_to_id(DEEPSEEK_SPECIALS[1])
    found, _ = preprocessed(tmp_path, "deepseek", tokenizer_json_dir, compat, pad)
    assert_rows(found, samples, compat, pad)
    # MindFormers leaves an input out, and takes the text None for a special token.
    assert different(samples) == [0, 5]


def llama_samples(directory: Path) -> dict[str, Samples]:
    llama = reference.Llama(directory)
    texts = [reference.vicuna(*turn) for turn in zip(QUESTIONS, ANSWERS, strict=True)]
    return {
        "model": reference.by_parts(llama, QUESTIONS, ANSWERS),
        "mindformers": reference.by_rounds(llama, texts, WIDTH),
    }


@pytest.mark.parametrize("compat", COMPAT)
def test_llamas_rows_are_the_librarys(compat: str, sentencepiece_dir: Path, tmp_path: Path) -> None:
    """With a bare tokenizer.model, which names no padding token: `<unk>` pads, as in MindFormers."""
    samples = llama_samples(sentencepiece_dir)
    found, _ = preprocessed(tmp_path, "llama", sentencepiece_dir, compat)
    assert_rows(found, samples, compat, 0)
    # MindFormers masks the whole of a sample in which it does not find the turns again: a special token or
    # a role's name written out in an answer, an answer of no characters.
    assert different(samples) == [4, 6, 7]


@pytest.mark.parametrize("compat", COMPAT)
def test_padding_with_a_token_that_answers_hold_is_masked_and_the_answers_are_not(
    compat: str, sentencepiece_dir: Path, tmp_path: Path
) -> None:
    samples = llama_samples(sentencepiece_dir)
    trained = [i for sample in samples[compat] for i, t in zip(*sample, strict=True) if t and i > 2]
    pad = max(set(trained), key=trained.count)
    found, report = preprocessed(tmp_path, "llama", sentencepiece_dir, compat, pad)
    assert report.pad_id == pad
    assert_rows(found, samples, compat, pad)
    assert (found["labels"] == pad).any() and (found["input_ids"][:, -1] == pad).any()


@pytest.mark.parametrize(
    ("compat", "paragraphs"), [("model", PARAGRAPHS), ("mindformers", MINDFORMERS_PARAGRAPHS)]
)
def test_wikitexts_rows_are_the_librarys(
    compat: str, paragraphs: list[str], sentencepiece_dir: Path, tmp_path: Path
) -> None:
    found, report = preprocessed(tmp_path, "wiki", sentencepiece_dir, compat)
    expected = reference.stream(reference.Llama(sentencepiece_dir), paragraphs, 21)
    np.testing.assert_array_equal(found["input_ids"], expected)
    assert list(found) == ["input_ids"] and report.records_in == len(paragraphs)


def test_losses_are_counted_by_record(sentencepiece_dir: Path, tmp_path: Path) -> None:
    samples = llama_samples(sentencepiece_dir)["model"]
    _, report = preprocessed(tmp_path, "llama", sentencepiece_dir, "model", pad_id=0)
    longer = [number for number, sample in enumerate(samples, 1) if len(sample.ids) > WIDTH]
    assert longer == report.listed["truncated"] == [10, 11]
    assert report.tokens_lost == sum(len(samples[number - 1].ids) - WIDTH for number in longer)
    assert report.listed["wholly_masked"] == [11]
    assert report.listed["empty_answers"] == [7]
    assert report.trained_tokens == sum(sum(sample.trained[:WIDTH]) for sample in samples)
