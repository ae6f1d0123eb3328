"""Where a response ends: at an end token, or before the first stop text, however the tokens cut it."""

from __future__ import annotations

import pytest

from modelcore.data.tokenizers import Tokenizer, load_tokenizer
from modelcore.generation.stopping import Ending
from tests.byte_vocabulary import write_byte_vocabulary
from tests.modelcore.data.conftest import train_sentencepiece

NO_IDS: frozenset[int] = frozenset()


@pytest.fixture(scope="module")
def of_bytes(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Every token is one byte."""
    return load_tokenizer(write_byte_vocabulary(tmp_path_factory.mktemp("bytes")))


@pytest.fixture(scope="module")
def of_pieces(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A sentencepiece vocabulary: a piece may begin with the space before its word."""
    directory = tmp_path_factory.mktemp("pieces")
    (directory / "tokenizer.model").write_bytes(train_sentencepiece())
    return load_tokenizer(directory)


def first_stop(ending: Ending, ids: list[int]) -> int | None:
    """Return after how many tokens a stop is noticed."""
    return next((count for count in range(1, len(ids) + 1) if ending.stopped(ids[:count])), None)


def test_a_stop_is_noticed_with_its_last_token_and_not_before(of_bytes: Tokenizer) -> None:
    ending = Ending(of_bytes, NO_IDS, ["\ndef", "# "])
    assert first_stop(ending, of_bytes.encode("    x = 1\ndef f")) == len("    x = 1\ndef")
    assert first_stop(ending, of_bytes.encode("    x = 1 # y\ndef")) == len("    x = 1 # ")
    assert first_stop(ending, of_bytes.encode("    x = 1\nde f#")) is None


def test_a_stop_that_is_a_special_token_ends_a_response_though_no_text_shows_it(of_pieces: Tokenizer) -> None:
    ending = Ending(of_pieces, NO_IDS, ["</s>", "the", ""])
    assert ending.end_ids == {2}
    assert ending.text([*of_pieces.encode("a b"), 2]) == " a b"


@pytest.mark.parametrize("stop", ["é世🙂", "\n" * 60])
def test_a_stop_of_many_tokens_is_noticed_whole(of_bytes: Tokenizer, stop: str) -> None:
    ids = of_bytes.encode("x" * 100 + stop)
    assert first_stop(Ending(of_bytes, NO_IDS, [stop]), ids) == len(ids)


def test_only_the_newest_tokens_are_decoded(of_bytes: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the longest stop has bytes, and four more for a character that they cut."""
    seen: list[int] = []
    decode = of_bytes.decode

    def watched(ids: list[int], *, continues: bool) -> str:
        seen.append(len(ids))
        return decode(ids, continues=continues)

    ending = Ending(of_bytes, NO_IDS, ["é", "abc"])
    monkeypatch.setattr(of_bytes, "decode", watched)
    assert not ending.stopped(of_bytes.encode("x" * 50))
    assert seen == [3 + 4]


def test_a_character_that_the_window_cuts_hides_no_stop(of_bytes: Tokenizer) -> None:
    ending = Ending(of_bytes, NO_IDS, ["ab"])
    assert ending.stopped(of_bytes.encode("🙂🙂ab"))


def test_text_ends_before_the_first_of_several_stops(of_bytes: Tokenizer) -> None:
    ending = Ending(of_bytes, NO_IDS, ["\ndef", "# ", "absent"])
    assert ending.text(of_bytes.encode("a = 1 # x\ndef")) == "a = 1 "
    assert ending.text(of_bytes.encode("a = 1\ndef # x")) == "a = 1"
    assert ending.text(of_bytes.encode("\ndef f")) == ""
    assert ending.text(of_bytes.encode("a = 1")) == "a = 1"


def test_without_stops_nothing_is_cut(of_bytes: Tokenizer) -> None:
    for stops in ([], ["", ""]):
        ending = Ending(of_bytes, frozenset({0}), stops)
        assert ending.stopped(of_bytes.encode("abc")) is False
        assert ending.text(of_bytes.encode("abc")) == "abc"
        assert ending.end_ids == {0}


def test_a_response_goes_on_from_its_prompt_with_the_space_before_its_first_word(
    of_pieces: Tokenizer,
) -> None:
    ids = of_pieces.encode("the quick brown fox")
    assert of_pieces.pieces(ids)[0].startswith("▁")
    assert Ending(of_pieces, NO_IDS, []).text(ids) == " the quick brown fox"
    assert Ending(of_pieces, NO_IDS, [" the"]).text(ids) == ""
    assert Ending(of_pieces, NO_IDS, [" the"]).stopped(ids[: len(of_pieces.encode("the"))])
