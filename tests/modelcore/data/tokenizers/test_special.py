"""Special tokens are read from the files beside a vocabulary; an error names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcore.data.tokenizers.special import SpecialIds, SpecialTokens, read_special_tokens, resolve
from modelcore.errors import MindrailError

IDS = {"<s>": 1, "</s>": 2, "<pad>": 7}


def written(directory: Path, **files: Any) -> Path:
    for name, content in files.items():
        (directory / f"{name}.json").write_text(json.dumps(content))
    return directory


def test_without_files_nothing_is_known(tmp_path: Path) -> None:
    assert read_special_tokens(tmp_path) == SpecialTokens()


def test_tokens_are_named_as_text_or_as_an_object_with_content(tmp_path: Path) -> None:
    names = {"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False}, "pad_token": None}
    found = read_special_tokens(written(tmp_path, tokenizer_config=names))
    assert found.named == {"bos": "<s>", "eos": "</s>"}
    assert found.special == ["<s>", "</s>"]
    assert found.sources == dict.fromkeys(("bos", "eos"), tmp_path / "tokenizer_config.json")


def test_tokenizer_config_speaks_louder_than_the_map(tmp_path: Path) -> None:
    directory = written(
        tmp_path,
        special_tokens_map={"eos_token": "</s>", "pad_token": "<pad>", "bos_token": ""},
        tokenizer_config={"eos_token": "<end>"},
    )
    found = read_special_tokens(directory)
    assert found.named == {"eos": "<end>", "pad": "<pad>"}
    assert found.sources["eos"].name == "tokenizer_config.json"
    assert found.sources["pad"].name == "special_tokens_map.json"
    assert found.special == ["</s>", "<pad>", "<end>"]


def test_additional_tokens_are_special_once(tmp_path: Path) -> None:
    entries = ["<a>", {"content": "<b>"}, "<a>", None]
    found = read_special_tokens(written(tmp_path, tokenizer_config={"additional_special_tokens": entries}))
    assert found.special == ["<a>", "<b>"] and found.named == {}


def test_added_tokens_have_their_ids_from_two_files(tmp_path: Path) -> None:
    decoder = {"9": {"content": "<x>", "special": True}, "10": {"content": "y", "special": False}}
    directory = written(
        tmp_path, added_tokens={"[PAD]": 8, "<x>": 9}, tokenizer_config={"added_tokens_decoder": decoder}
    )
    found = read_special_tokens(directory)
    assert found.added == {"[PAD]": 8, "<x>": 9, "y": 10}
    assert found.special == ["<x>"]


def test_generation_config_gives_ids_the_first_of_several(tmp_path: Path) -> None:
    config = {"eos_token_id": [2, 5], "bos_token_id": 0, "pad_token_id": -1}
    assert read_special_tokens(written(tmp_path, generation_config=config)).ids == {"eos": 2, "bos": 0}
    config = {"eos_token_id": [], "bos_token_id": None}
    assert read_special_tokens(written(tmp_path, generation_config=config)).ids == {}


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("added_tokens", {"a": -1}, "id -1 of 'a' is not a whole number below 4194304"),
        ("added_tokens", {"a": 1.5}, "id 1.5 of 'a' is not a whole number below 4194304"),
        ("added_tokens", {"a": True}, "id True of 'a' is not a whole number below 4194304"),
        ("special_tokens_map", {"pad_token": 3}, "pad_token is 3, expected text"),
        ("tokenizer_config", {"bos_token": {"content": 3}}, "bos_token is 3, expected text"),
        (
            "tokenizer_config",
            {"additional_special_tokens": {"a": 1}},
            "additional_special_tokens is not a list",
        ),
        (
            "tokenizer_config",
            {"additional_special_tokens": [1]},
            "additional_special_tokens is 1, expected text",
        ),
        ("tokenizer_config", {"added_tokens_decoder": []}, "added_tokens_decoder is not an object"),
        (
            "tokenizer_config",
            {"added_tokens_decoder": {"x": {"content": "a"}}},
            "added_tokens_decoder entry 'x' has no id or no content",
        ),
        (
            "tokenizer_config",
            {"added_tokens_decoder": {"1": {"special": True}}},
            "added_tokens_decoder entry '1' has no id or no content",
        ),
        (
            "tokenizer_config",
            {"added_tokens_decoder": {"1": "<s>"}},
            "added_tokens_decoder entry '1' has no id or no content",
        ),
        ("generation_config", {"eos_token_id": "2"}, "eos_token_id is '2', expected an id"),
        ("generation_config", {"bos_token_id": False}, "bos_token_id is False, expected an id"),
        ("generation_config", {"pad_token_id": ["a", 1]}, "pad_token_id is ['a', 1], expected an id"),
    ],
)
def test_an_entry_of_another_kind_is_refused_with_its_file(
    tmp_path: Path, name: str, content: Any, line: str
) -> None:
    with pytest.raises(MindrailError) as refused:
        read_special_tokens(written(tmp_path, **{name: content}))
    assert str(refused.value) == f"{tmp_path / name}.json: {line}"


def test_files_that_disagree_about_an_id_are_refused(tmp_path: Path) -> None:
    decoder = {"9": {"content": "[PAD]"}}
    directory = written(
        tmp_path, added_tokens={"[PAD]": 8}, tokenizer_config={"added_tokens_decoder": decoder}
    )
    with pytest.raises(MindrailError) as refused:
        read_special_tokens(directory)
    assert str(refused.value) == f"{tmp_path}/tokenizer_config.json: '[PAD]' is id 9 here and 8 elsewhere"


def test_a_named_token_counts_before_an_id_and_that_before_the_vocabularys_own() -> None:
    tokens = SpecialTokens(named={"bos": "<s>"}, ids={"bos": 5, "eos": 6})
    defaults = {"bos": 3, "eos": 3, "pad": 3}
    assert resolve(tokens, IDS.get, defaults) == SpecialIds(bos=1, eos=6, pad=3)
    assert resolve(SpecialTokens(), IDS.get, {}) == SpecialIds(None, None, None)


def test_a_named_token_that_the_vocabulary_lacks_is_refused(tmp_path: Path) -> None:
    tokens = read_special_tokens(written(tmp_path, special_tokens_map={"pad_token": "<none>"}))
    with pytest.raises(MindrailError) as refused:
        resolve(tokens, IDS.get, {"pad": 3})
    assert str(refused.value) == (
        f"{tmp_path}/special_tokens_map.json: pad_token '<none>' is not in the vocabulary; "
        "use tokenizer files of the same model"
    )
