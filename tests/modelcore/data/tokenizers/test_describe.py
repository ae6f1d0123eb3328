"""What is said of a tokenizer and of a text to a person who looks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelcore.data.tokenizers.describe import (
    SpecialToken,
    describe_tokenizer,
    read_text,
    tokenize,
)
from modelcore.errors import MindrailError
from tests.byte_vocabulary import write_byte_vocabulary


def test_a_tokenizer_is_described_with_the_roles_of_its_special_tokens(tmp_path: Path) -> None:
    directory = write_byte_vocabulary(tmp_path)
    (directory / "added_tokens.json").write_text('{"[PAD]": 257}')
    names = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "[PAD]"}
    (directory / "tokenizer_config.json").write_text(json.dumps(names))
    found = describe_tokenizer(directory)
    assert (found.kind, found.vocab_size) == ("byte-level BPE, tokenizer.json", 258)
    assert (found.bos_id, found.eos_id, found.pad_id) == (0, 0, 257)
    assert found.special == (SpecialToken(0, "<|endoftext|>", "bos eos"), SpecialToken(257, "[PAD]", "pad"))


def test_the_kind_names_the_file_that_is_read(
    sentencepiece_dir: Path, vocab_merges_dir: Path, tokenizer_json_dir: Path
) -> None:
    directories = (sentencepiece_dir, vocab_merges_dir, tokenizer_json_dir)
    assert [describe_tokenizer(directory).kind for directory in directories] == [
        "sentencepiece, tokenizer.model",
        "byte-level BPE, vocab.json",
        "byte-level BPE, tokenizer.json",
    ]
    roles = [token.role for token in describe_tokenizer(sentencepiece_dir).special]
    assert roles == ["", "bos", "eos"]  # <unk>, <s>, </s>


def test_a_text_is_shown_with_its_tokens_and_whether_it_comes_back(sentencepiece_dir: Path) -> None:
    found = tokenize(sentencepiece_dir, "the dog</s>")
    assert found.pieces[0].startswith("▁") and found.pieces[-1] == "</s>" and found.ids[-1] == 2
    assert found.decoded == "the dog</s>" and found.round_trip
    assert len(found.ids) == len(found.pieces)
    changed = tokenize(sentencepiece_dir, "the▁dog")  # a written ▁ is a space to this vocabulary
    assert changed.decoded == "the dog" and not changed.round_trip


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("é\r\n".encode())
    assert read_text(tmp_path / "text") == "é\r\n"
    (tmp_path / "text").write_bytes(b"\xe9")
    with pytest.raises(MindrailError, match="text: cannot be read: 'utf-8' codec can't decode byte 0xe9"):
        read_text(tmp_path / "text")
    with pytest.raises(MindrailError, match="none: cannot be read: .*No such file"):
        read_text(tmp_path / "none")
