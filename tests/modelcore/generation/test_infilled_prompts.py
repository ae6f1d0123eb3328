"""Prompts with a gap are encoded in the form whose tokens the vocabulary has, and long ones are cut."""

from __future__ import annotations

from pathlib import Path

import pytest
import tokenizers

from modelcore.config.evaluation import Decoding
from modelcore.data.encoding.prompts import STARCODER_INFILL
from modelcore.data.tokenizers import load_tokenizer
from modelcore.demo.tokenizer import write_tokenizer
from modelcore.errors import MindrailError
from modelcore.generation.plan import Prompt
from modelcore.generation.prompt_ids import cut_prompt, encode_all, infill_form
from tests.families import small_model


@pytest.fixture
def starcoder(tmp_path: Path) -> Path:
    """A small vocabulary with StarCoder's tokens for gaps."""
    write_tokenizer(tmp_path, ["def f(x):"], vocab_size=270, max_length=64)
    file = str(tmp_path / "tokenizer.json")
    vocabulary = tokenizers.Tokenizer.from_file(file)
    vocabulary.add_special_tokens(["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|endoftext|>"])
    vocabulary.save(file)
    return tmp_path


def test_gaps_and_texts_are_encoded_side_by_side(starcoder: Path) -> None:
    tokenizer = load_tokenizer(starcoder)
    assert infill_form(tokenizer) == STARCODER_INFILL
    prompts = [Prompt("1", "def f("), Prompt("2", "a", " b"), Prompt("3", "x")]
    text, gap, other = encode_all(tokenizer, prompts, bos=True)
    pre, suf, mid = (tokenizer.token_id(f"<fim_{name}>") for name in ("prefix", "suffix", "middle"))
    assert text == tokenizer.encode("def f(", bos=True)
    assert gap == [tokenizer.bos_id, pre, *tokenizer.encode("a"), suf, *tokenizer.encode(" b"), mid]
    assert other == tokenizer.encode("x", bos=True)


def test_a_vocabulary_without_the_tokens_is_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, ["x"], vocab_size=258, max_length=64)
    with pytest.raises(MindrailError, match="no tokens for prefix and suffix"):
        infill_form(load_tokenizer(tmp_path))


def test_a_long_prompt_keeps_bos_and_its_end_and_leaves_room_for_the_answer() -> None:
    model = small_model("llama")  # 32 positions
    decoding = Decoding(max_new_tokens=10, long_prompts="cut")
    assert cut_prompt(range(31), model, decoding, bos=True) == (list(range(31)), 0)
    assert cut_prompt(range(40), model, decoding, bos=True) == ([0, *range(19, 40)], 18)
    assert cut_prompt(range(40), model, decoding, bos=False) == (list(range(18, 40)), 18)
    greedy = Decoding(max_new_tokens=30, long_prompts="cut")
    assert len(cut_prompt(range(40), model, greedy, bos=False)[0]) == 16
    assert cut_prompt(range(40), model, Decoding(), bos=False) == (list(range(40)), 0)
