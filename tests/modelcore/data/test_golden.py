"""Rows compared with MindFormers' own: equal with compat, every other difference explained."""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelcore.data.mindrecord.file import read_mindrecord
from modelcore.data.preprocess import preprocess
from modelcore.data.report import PreprocessReport
from modelcore.data.tokenizers import load_tokenizer
from tests.modelcore.data import reference_rows as reference
from tests.modelcore.data.conftest import DEEPSEEK_SPECIALS

WIDTH = 513
CASES = {
    "wizardcoder": ("wizardcoder", "starcoder1"),
    "deepseek_coder": ("deepseek", "deepseek-coder"),
    "deepseek_v15": ("deepseek", "deepseek-coder-v1.5"),
    "llama_qa": ("llama", "llama2"),
}


class Case:
    """The rows of one case, ours and theirs."""

    def __init__(self, name: str, compat: str, shared_data: Path, tokenizers: Path, scratch: Path) -> None:
        form, vocabulary = CASES[name]
        self.source = shared_data / "codealpaca" / "code_alpaca_2k.json"
        self.records = json.loads(self.source.read_text(encoding="utf-8"))
        out = scratch / f"{name}-{compat}.mindrecord"
        self.report: PreprocessReport = preprocess(
            self.source,
            out,
            format=form,
            tokenizer_dir=tokenizers / vocabulary,
            seq_length=512,
            compat=compat,
        )
        rows = list(read_mindrecord(out))
        self.ids = np.stack([row["input_ids"] for row in rows])
        self.labels = np.stack([row["labels"] for row in rows])
        golden = np.load(shared_data / "golden" / f"{name}.npz")
        self.their_ids, self.their_labels = golden["input_ids"], golden["labels"]
        self.tokenizer = load_tokenizer(tokenizers / vocabulary)

    @property
    def different(self) -> list[int]:
        differs = (self.ids != self.their_ids) | (self.labels != self.their_labels)
        return np.flatnonzero(differs.any(axis=1)).tolist()


@pytest.fixture(scope="module")
def make(
    shared_data: Path, real_tokenizers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Case]:
    scratch = tmp_path_factory.mktemp("golden")
    return functools.cache(lambda name, compat: Case(name, compat, shared_data, real_tokenizers, scratch))


@pytest.mark.parametrize("name", CASES)
def test_compat_rows_equal_mindformers_own(name: str, make: Callable[[str, str], Case]) -> None:
    case = make(name, "mindformers")
    np.testing.assert_array_equal(case.ids, case.their_ids)
    np.testing.assert_array_equal(case.labels, case.their_labels)


@pytest.mark.parametrize(
    ("name", "files", "pad_id"),
    [
        ("wizardcoder", ["starcoder1/vocab.json", "starcoder1/merges.txt"], None),
        ("deepseek_v15", ["deepseek-coder-v1.5/tokenizer.json"], 100015),
        ("llama_qa", ["llama2/tokenizer.model"], None),
    ],
)
def test_compat_rows_of_a_bare_vocabulary_equal_mindformers_own_padding_included(
    name: str, files: list[str], pad_id: int | None, shared_data: Path, tmp_path: Path
) -> None:
    """As the model cards do it: the script gets the vocabulary's files and, for DeepSeek, --pad_token_id."""
    for file in files:
        shutil.copy(shared_data / "tokenizers" / file, tmp_path)
    rows = tmp_path / "rows.mindrecord"
    source = shared_data / "codealpaca" / "code_alpaca_2k.json"
    preprocess(
        source,
        rows,
        format=CASES[name][0],
        tokenizer_dir=tmp_path,
        seq_length=512,
        compat="mindformers",
        pad_id=pad_id,
    )
    golden = np.load(shared_data / "golden" / f"{name}.npz")
    found = list(read_mindrecord(rows))
    for column in ("input_ids", "labels"):
        np.testing.assert_array_equal(np.stack([row[column] for row in found]), golden[column])


def reference_samples(name: str, case: Case, vocabulary: Path) -> list[reference.Sample]:
    prompts = [reference.alpaca(record) for record in case.records]
    answers = [record["output"] for record in case.records]
    if name == "wizardcoder":
        engine = reference.starcoder(vocabulary, ["<|endoftext|>"], digits=False)
        return reference.by_prompt_length(engine, prompts, answers, eos="<|endoftext|>")
    if name == "llama_qa":
        texts = [reference.vicuna(*turn) for turn in zip(prompts, answers, strict=True)]
        return reference.by_rounds(reference.Llama(vocabulary), texts, WIDTH)
    prompts = [reference.DEEPSEEK.format_map(record) for record in case.records]
    answers = [f"{answer}\n" for answer in answers]
    engine = reference.deepseek(vocabulary, none_is_special=True)
    return reference.by_prompt_length(engine, prompts, answers, bos=DEEPSEEK_SPECIALS[0], eos="<|EOT|>")


@pytest.mark.parametrize("name", CASES)
def test_the_reference_of_the_small_rows_gives_mindformers_own(
    name: str, make: Callable[[str, str], Case], real_tokenizers: Path
) -> None:
    case = make(name, "mindformers")
    samples = reference_samples(name, case, real_tokenizers / CASES[name][1])
    assert case.report.pad_id is not None
    ids, labels = reference.padded(samples, WIDTH, case.report.pad_id)
    np.testing.assert_array_equal(ids, case.their_ids)
    np.testing.assert_array_equal(labels, case.their_labels)


def test_wizardcoder_differs_only_where_white_space_precedes_a_digit(
    make: Callable[[str, str], Case],
) -> None:
    """tokenizer.json splits off digits before the GPT-2 split, so a space before one is not separated."""
    case = make("wizardcoder", "model")
    spaced = re.compile(r"\s\s+\d")
    assert len(case.different) == 21
    assert all(any(spaced.search(text) for text in case.records[i].values()) for i in case.different)
    for index in case.different:
        ours, theirs = (
            case.tokenizer.decode([i for i in ids.tolist() if i < 49152])
            for ids in (case.ids[index], case.their_ids[index])
        )
        assert ours == theirs


def test_llama_differs_only_in_empty_answers_whose_end_is_in_the_loss(
    make: Callable[[str, str], Case],
) -> None:
    """MindFormers masks such a row entirely, as it finds no answer. Here the end token is in the loss."""
    case = make("llama_qa", "model")
    assert case.different == [237, 1859] == [n - 1 for n in case.report.listed["empty_answers"]]
    np.testing.assert_array_equal(case.ids, case.their_ids)
    for index in case.different:
        assert (case.their_labels[index] == -100).all()
        assert case.labels[index][case.labels[index] != -100].tolist() == [2]


@pytest.mark.parametrize("name", ["deepseek_coder", "deepseek_v15"])
def test_deepseek_differs_only_in_inputs_and_in_none(name: str, make: Callable[[str, str], Case]) -> None:
    """MindFormers omits the record's input, and treats the text None as a special token."""
    case = make(name, "model")
    with_input = [i for i, record in enumerate(case.records) if record["input"]]
    has_none = [" None" in record["instruction"] + record["output"] for record in case.records]
    without_input = set(case.different) - set(with_input)
    assert len(with_input) == 1006 and set(with_input) <= set(case.different)
    assert all(has_none[index] for index in without_input) and without_input
    assert f"\n{case.records[0]['input']}\n### Response:" in case.tokenizer.decode(case.ids[0].tolist())


def test_the_truncated_rows_are_the_known_ones(make: Callable[[str, str], Case]) -> None:
    case = make("llama_qa", "mindformers")
    known = [71, 127, 313, 664, 1066, 1324, 1362, 1365, 1820]
    assert [number - 1 for number in case.report.listed["truncated"]] == known
    assert (case.report.truncated, case.report.wholly_masked) == (9, 2)


def _wiki(shared_data: Path, tokenizers: Path, out: Path, compat: str) -> tuple[np.ndarray, PreprocessReport]:
    source = shared_data / "wikitext-2" / "valid.txt"
    directory = tokenizers / "llama2"
    report = preprocess(source, out, format="wiki", tokenizer_dir=directory, seq_length=512, compat=compat)
    return np.stack([row["input_ids"] for row in read_mindrecord(out)]), report


def test_wikitext_keeps_the_eight_paragraphs_that_mindformers_loses(
    shared_data: Path, real_tokenizers: Path, tmp_path: Path
) -> None:
    """Its rule for quotation marks joins some paragraphs to headings and drops them with those."""
    theirs, their_report = _wiki(shared_data, real_tokenizers, tmp_path / "theirs.mindrecord", "mindformers")
    np.testing.assert_array_equal(theirs, np.load(shared_data / "golden" / "llama_wiki.npz")["input_ids"])
    ours, report = _wiki(shared_data, real_tokenizers, tmp_path / "ours.mindrecord", "model")
    assert report.records_in == their_report.records_in + 8
    assert len(ours) > len(theirs)
