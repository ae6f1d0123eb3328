"""Rows as runs of masked and trained text; what is padding is guessed only where nobody says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelcore.data.encoding.rows import IGNORE, Rows
from modelcore.data.mindrecord.decode import Span, decode_row, decode_rows
from modelcore.data.mindrecord.file import MindRecordWriter
from modelcore.data.tokenizers import Tokenizer, load_tokenizer
from tests.byte_vocabulary import write_byte_vocabulary


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Every byte is a token, <|endoftext|> is 0 and ends an answer; nothing is said of padding."""
    return load_tokenizer(write_byte_vocabulary(tmp_path_factory.mktemp("bytes")))


def row(tokenizer: Tokenizer, text: str, trained: str) -> tuple[np.ndarray, np.ndarray]:
    """Encode a text; `trained` has a + under each token in the loss."""
    ids = np.array(tokenizer.encode(text), np.int32)
    mask = np.array([mark == "+" for mark in trained])
    return ids, np.where(mask, ids, np.int32(IGNORE))


def spans(tokenizer: Tokenizer, text: str, trained: str, pad_id: int | None = None) -> list[Span]:
    return decode_row(*row(tokenizer, text, trained), tokenizer, pad_id)


def test_a_row_is_divided_where_the_loss_begins_and_ends(tokenizer: Tokenizer) -> None:
    assert spans(tokenizer, "abcdef", "--++-+") == [
        Span("masked", 2, "ab"),
        Span("trained", 2, "cd"),
        Span("masked", 1, "e"),
        Span("trained", 1, "f"),
    ]


def test_special_tokens_are_written_out(tokenizer: Tokenizer) -> None:
    assert spans(tokenizer, "a<|endoftext|>", "-+") == [
        Span("masked", 1, "a"),
        Span("trained", 1, "<|endoftext|>"),
    ]


def test_padding_is_the_run_of_its_id_at_the_end(tokenizer: Tokenizer) -> None:
    pad = tokenizer.encode("z")[0]
    assert spans(tokenizer, "zabzz", "--+--", pad) == [
        Span("masked", 2, "za"),
        Span("trained", 1, "b"),
        Span("padding", 2, ""),
    ]
    assert spans(tokenizer, "abz", "-+-", pad)[-1] == Span("padding", 1, "")
    assert spans(tokenizer, "abz", "-++", pad)[-1] == Span("trained", 2, "bz")
    assert spans(tokenizer, "zzz", "---", pad) == [Span("padding", 3, "")]
    assert spans(tokenizer, "abyy", "-+--", pad)[-1] == Span("masked", 2, "yy")


def test_where_nobody_names_padding_a_repeated_masked_end_is_it(tokenizer: Tokenizer) -> None:
    assert spans(tokenizer, "abzz", "-+--")[-1] == Span("padding", 2, "")
    assert spans(tokenizer, "abz", "-+-")[-1] == Span("masked", 1, "z")
    assert spans(tokenizer, "abzz", "-++-")[-1] == Span("masked", 1, "z")


def test_without_labels_everything_is_trained_on(tokenizer: Tokenizer) -> None:
    ids = np.array(tokenizer.encode("abzz"), np.int32)
    assert decode_row(ids, None, tokenizer) == [Span("trained", 4, "abzz")]


def test_rows_of_a_file_are_chosen_by_number(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [row(tokenizer, text, "-+") for text in ("ab", "cd", "ef", "gh")]
    ids, labels = (np.stack(column) for column in zip(*rows, strict=True))
    with MindRecordWriter(tmp_path / "x", ("input_ids", "labels")) as writer:
        writer.write(Rows(ids, labels))

    def texts(chosen: object = None) -> list[str]:
        found = decode_rows(tmp_path / "x", tokenizer, *([] if chosen is None else [chosen]))  # type: ignore[arg-type]
        return ["".join(span.text for span in one) for one in found]

    assert texts() == ["ab", "cd", "ef"]
    assert texts(2) == ["ab", "cd"] and texts(9) == ["ab", "cd", "ef", "gh"]
    assert texts([1, 3]) == ["cd", "gh"] and texts([]) == []
