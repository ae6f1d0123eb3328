"""Vocabulary, special ids and embedding rows are compared, and what does not fit is reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from modelcore.checkpoints.vocabulary import check_vocabulary
from modelcore.models.llama.config import LlamaConfig

CONFIG = LlamaConfig(
    vocab_size=300,
    hidden_size=4,
    intermediate_size=4,
    num_layers=1,
    num_heads=1,
    num_kv_heads=1,
    max_positions=8,
    norm_eps=1e-5,
)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A byte-level vocabulary of 256 bytes and one end token."""
    letters = sorted(ByteLevel.alphabet())
    made = Tokenizer(BPE(vocab={letter: at for at, letter in enumerate(letters)}, merges=[]))
    made.pre_tokenizer = ByteLevel(add_prefix_space=False)
    made.add_special_tokens(["</s>"])
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "</s>"}')
    return tmp_path


def test_what_fits_gives_no_warning(tokenizer: Path) -> None:
    assert check_vocabulary(tokenizer, replace(CONFIG, eos_id=256)) == []


def test_tokens_without_a_row_are_reported(tokenizer: Path) -> None:
    assert check_vocabulary(tokenizer, replace(CONFIG, vocab_size=250)) == [
        "the tokenizer has 257 tokens, the embedding 250 rows: ids from 250 on cannot be used"
    ]


def test_special_ids_without_a_row_are_reported(tmp_path: Path) -> None:
    assert check_vocabulary(tmp_path, replace(CONFIG, pad_id=300)) == [
        "pad_token_id is 300 in config.json, the embedding has 300 rows: it cannot be used"
    ]


def test_special_ids_on_which_tokenizer_and_config_disagree_are_reported(tokenizer: Path) -> None:
    assert check_vocabulary(tokenizer, replace(CONFIG, eos_id=2)) == [
        "eos is 2 in config.json, 256 in the tokenizer"
    ]


def test_a_tokenizer_that_begins_no_text_does_not_disagree_with_a_config_that_names_a_beginning(
    tokenizer: Path,
) -> None:
    """Qwen2.5's config.json and generation_config.json name one, its tokenizer_config.json none."""
    (tokenizer / "tokenizer_config.json").write_text('{"eos_token": "</s>", "bos_token": null}')
    (tokenizer / "generation_config.json").write_text('{"bos_token_id": 256}')
    assert check_vocabulary(tokenizer, replace(CONFIG, bos_id=255, eos_id=256)) == []


def test_a_directory_without_a_tokenizer_gives_no_warning(tmp_path: Path) -> None:
    assert check_vocabulary(tmp_path, CONFIG) == []
