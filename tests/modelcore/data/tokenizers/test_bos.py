"""Whether prompts begin with BOS is decided by the tokenizer's own files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer, processors

from modelcore.data.tokenizers import load_tokenizer
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.errors import MindrailError
from tests.byte_vocabulary import write_byte_vocabulary

END = "<|endoftext|>"


def with_template(directory: Path, *, nested: bool = False) -> Path:
    """Write a byte vocabulary whose post-processor puts BOS in front."""
    write_byte_vocabulary(directory)
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    template = processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, 0)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(), template]) if nested else template
    tokenizer.save(str(directory / "tokenizer.json"))
    configure(directory, bos_token=END)
    return directory


def configure(directory: Path, **keys: object) -> None:
    (directory / "tokenizer_config.json").write_text(json.dumps(keys))


def test_a_vocabulary_that_says_nothing_adds_none(tmp_path: Path) -> None:
    assert not begins_with_bos(write_byte_vocabulary(tmp_path))


@pytest.mark.parametrize("nested", [False, True])
def test_a_template_that_begins_with_a_special_token_adds_it(tmp_path: Path, nested: bool) -> None:
    assert begins_with_bos(with_template(tmp_path, nested=nested))


def test_a_template_that_ends_with_a_special_token_adds_none(tmp_path: Path) -> None:
    with_template(tmp_path)
    raw = json.loads((tmp_path / "tokenizer.json").read_text())
    raw["post_processor"]["single"].reverse()
    (tmp_path / "tokenizer.json").write_text(json.dumps(raw))
    assert not begins_with_bos(tmp_path)


def test_the_ids_are_those_of_transformers(tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    with_template(tmp_path)
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"), bos_token=END)
    ours = load_tokenizer(tmp_path).encode("def add", bos=begins_with_bos(tmp_path))
    assert ours == theirs("def add")["input_ids"]
    assert ours[0] == theirs.bos_token_id


@pytest.mark.parametrize("added", [True, False])
def test_the_configuration_decides_before_the_template(tmp_path: Path, added: bool) -> None:
    with_template(tmp_path)
    configure(tmp_path, bos_token=END, add_bos_token=added)
    assert begins_with_bos(tmp_path) is added


def test_a_sentencepiece_vocabulary_adds_it_by_default(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").touch()
    assert begins_with_bos(tmp_path)
    configure(tmp_path, add_bos_token=False)
    assert not begins_with_bos(tmp_path)


def test_a_value_that_is_no_boolean_is_refused(tmp_path: Path) -> None:
    write_byte_vocabulary(tmp_path)
    configure(tmp_path, add_bos_token="yes")
    with pytest.raises(MindrailError, match=r"tokenizer_config.json: add_bos_token: 'yes'"):
        begins_with_bos(tmp_path)


def test_codellamas_published_configuration_adds_it(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "codellama_7b_metadata" / "tokenizer_config.json", tmp_path)
    assert begins_with_bos(tmp_path)
