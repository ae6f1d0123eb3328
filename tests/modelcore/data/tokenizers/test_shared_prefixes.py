"""Texts with a shared prefix get the same ids as when encoded alone, and the prefix is encoded once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from modelcore.data.encoding.prompts import VICUNA_SYSTEM, alpaca_prompt
from modelcore.data.tokenizers.shared_prefixes import encode_with_shared_prefixes, words_are_separable

LINES = ["the quick brown fox of the day", "of the day is the end of the line", "a lazy  dog in the sun"] * 4
FRAME = f"{VICUNA_SYSTEM} USER: "
# What decides where a text may be cut: spaces, written ones too, line ends, and what has no piece of its own.
TEXT = st.text(st.sampled_from("a the▁\n\t🙂é<>") | st.characters(exclude_categories=["Cs"]), max_size=12)


def trained(**options: Any) -> SentencePieceProcessor:
    model = io.BytesIO()
    wanted: dict[str, Any] = {
        "model_type": "bpe",
        "vocab_size": 320,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "byte_fallback": True,
        "hard_vocab_limit": False,
        "minloglevel": 2,
    }
    SentencePieceTrainer.train(sentence_iterator=iter(LINES), model_writer=model, **(wanted | options))
    return SentencePieceProcessor(model_proto=model.getvalue())


CHANGES: dict[str, dict[str, list[str]]] = {
    "trained": {},
    "user_defined": {"user_defined_symbols": ["▁<PRE>", "the"]},
}


@pytest.fixture(scope="module", params=[*CHANGES, "real"])
def processor(request: pytest.FixtureRequest) -> SentencePieceProcessor:
    if request.param == "real":
        tokenizers: Path = request.getfixturevalue("real_tokenizers")
        found = SentencePieceProcessor(model_file=str(tokenizers / "llama2" / "tokenizer.model"))
    else:
        found = trained(**CHANGES[request.param])
    assert words_are_separable(found)  # what encoding in parts asks of a vocabulary
    return found


class Counting:
    """A processor that counts the characters that it encodes."""

    def __init__(self, processor: SentencePieceProcessor) -> None:
        self._processor = processor
        self.characters = 0

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        self.characters += sum(map(len, texts))
        return self._processor.encode(list(texts))


@settings(max_examples=300)
@given(
    st.lists(TEXT, max_size=3).map(" ".join), st.sampled_from([0, 100, 240, 400]), st.lists(TEXT, max_size=4)
)
def test_the_ids_are_those_of_the_whole_texts(
    processor: SentencePieceProcessor, begin: str, filled: int, ends: list[str]
) -> None:
    shared = ("words of the day " * 30)[:filled] + begin
    texts = [shared + end for end in ends] + ["", " ", shared]
    assert encode_with_shared_prefixes(processor, texts) == processor.encode(texts)


@pytest.mark.parametrize("task", ["Add.", "", " ", "Add two  numbers of a list and of another list."])
def test_a_shared_prefix_is_encoded_once(processor: SentencePieceProcessor, task: str) -> None:
    texts = [FRAME + alpaca_prompt(f"{task}{number}", given) for number in range(50) for given in ("", "x")]
    counting: Any = Counting(processor)
    assert encode_with_shared_prefixes(counting, texts) == processor.encode(texts)
    assert counting.characters < sum(map(len, texts)) / 2


def test_a_prefix_that_only_one_text_has_is_not_split_off(processor: SentencePieceProcessor) -> None:
    texts = [f"{number} {'words of the day ' * 30}" for number in range(10)]
    counting: Any = Counting(processor)
    assert encode_with_shared_prefixes(counting, texts) == processor.encode(texts)
    assert counting.characters == sum(map(len, texts))


def test_vocabularies_that_join_words_or_weigh_whole_texts_are_recognised() -> None:
    joining = trained(split_by_whitespace=False)
    assert any("▁" in joining.id_to_piece(i).strip("▁") for i in range(joining.get_piece_size()))
    assert not words_are_separable(joining)
    assert not words_are_separable(trained(user_defined_symbols=["of▁the"]))
    assert not words_are_separable(trained(user_defined_symbols=["of the"]))
    assert not words_are_separable(trained(model_type="unigram"))
    assert not words_are_separable(trained(add_dummy_prefix=False))
    assert not words_are_separable(trained(treat_whitespace_as_suffix=True))
