"""The tokenizer: loads in transformers, loses nothing, keeps question and answer apart, repeats itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from modelcore.data.encoding.prompts import alpaca_prompt
from modelcore.demo.tokenizer import END, PAD, write_tokenizer


@pytest.fixture(scope="module")
def tokenizer(written) -> Tokenizer:
    return Tokenizer.from_file(str(written.directory / "checkpoint" / "tokenizer.json"))


def test_special_tokens_have_fixed_ids(tokenizer):
    assert (tokenizer.token_to_id(END), tokenizer.token_to_id(PAD)) == (0, 1)
    assert tokenizer.encode(f"a{END}").ids[-1] == 0


def test_any_text_comes_back_exactly(tokenizer):
    for text in ("def f(x):\n\treturn  x\n", "naïve ☃ \x00", "  leading and trailing  "):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_no_token_reaches_from_the_question_into_the_answer(tokenizer, written):
    for row in written.rows:
        question = alpaca_prompt(row["instruction"])
        together = tokenizer.encode(question + row["output"]).ids
        assert together == tokenizer.encode(question).ids + tokenizer.encode(row["output"]).ids


def test_transformers_loads_it_with_its_special_tokens(written, tokenizer):
    transformers = pytest.importorskip("transformers")
    loaded = transformers.AutoTokenizer.from_pretrained(written.directory / "checkpoint")
    text = written.rows[0]["instruction"]
    assert loaded(text)["input_ids"] == tokenizer.encode(text).ids
    assert (loaded.eos_token_id, loaded.pad_token_id, len(loaded)) == (0, 1, tokenizer.get_vocab_size())
    assert loaded.decode(loaded(text)["input_ids"]) == text


def test_the_same_texts_give_the_same_bytes(tmp_path: Path):
    texts = ["def add(a, b):\n    return a + b\n", "def sub(a, b):\n    return a - b\n"] * 20
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_tokenizer(tmp_path / name, texts, vocab_size=300, max_length=64)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two")
    )
    assert one == two
