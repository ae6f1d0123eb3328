"""Rows are filled up with the token that the model's files name; a chosen one must exist."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from modelcore.config.reading import parse
from modelcore.data.encoding.examine import Examiner, Plan
from modelcore.data.options import Options
from modelcore.data.tokenizers import load_tokenizer
from modelcore.errors import MindrailError
from modelcore.models.shipped import shipped_models


def padding(directory: Path, form: str, **options: Any) -> int:
    return Examiner(Plan(parse({"format": form, **options}, Options), directory)).pad_id


def copied(source: Path, directory: Path, *names: str) -> Path:
    for name in names:
        shutil.copy(source / name, directory)
    return directory


def test_the_padding_is_the_vocabularys_padding_token(vocab_merges_dir: Path) -> None:
    pad = load_tokenizer(vocab_merges_dir).token_id("[PAD]")
    assert padding(vocab_merges_dir, "wizardcoder") == pad
    assert padding(vocab_merges_dir, "wizardcoder", pack=True) == pad


def test_without_one_codellamas_unknown_token_pads_as_its_yaml_says(sentencepiece_dir: Path) -> None:
    assert load_tokenizer(sentencepiece_dir).pad_id is None
    codellama = {model.pad_id for name, model in shipped_models().items() if name.startswith("codellama")}
    assert {padding(sentencepiece_dir, form) for form in ("llama", "codellama-instruct")} == codellama


def test_without_either_the_token_that_ends_an_answer_pads(tokenizer_json_dir: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_json_dir)
    assert (tokenizer.pad_id, tokenizer.unk_id) == (None, None)
    assert padding(tokenizer_json_dir, "deepseek") == tokenizer.token_id("<|EOT|>")


@pytest.mark.parametrize("compat", ["model", "mindformers"])
def test_a_chosen_token_goes_first(compat: str, sentencepiece_dir: Path) -> None:
    assert padding(sentencepiece_dir, "llama", compat=compat, pad_id=7) == 7


def test_mindformers_reads_the_bare_vocabulary(
    sentencepiece_dir: Path, vocab_merges_dir: Path, tmp_path: Path
) -> None:
    copied(sentencepiece_dir, tmp_path, "tokenizer.model")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "</s>"}))
    assert padding(tmp_path, "llama") == 2
    assert padding(tmp_path, "llama", compat="mindformers") == 0
    (bare := tmp_path / "bare").mkdir()
    copied(vocab_merges_dir, bare, "vocab.json", "merges.txt")
    size = len(json.loads((bare / "vocab.json").read_text()))
    assert padding(bare, "wizardcoder", compat="mindformers") == size  # its [PAD], behind the vocabulary
    assert padding(bare, "wizardcoder") == 0


def test_a_token_that_is_not_in_the_vocabulary_is_refused(sentencepiece_dir: Path) -> None:
    assert padding(sentencepiece_dir, "llama", pad_id=419) == 419
    with pytest.raises(MindrailError) as refused:
        padding(sentencepiece_dir, "llama", pad_id=420)
    assert str(refused.value) == "pad_id: 420 is outside the vocabulary's 420 ids; give one below 420"


def test_a_model_may_have_more_rows_than_its_vocabulary_and_decides(
    sentencepiece_dir: Path, tmp_path: Path
) -> None:
    copied(sentencepiece_dir, tmp_path, "tokenizer.model")
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 421}))
    assert padding(tmp_path, "llama", pad_id=420) == 420
    with pytest.raises(MindrailError, match="pad_id: 421 is outside the model's 421 embedding rows"):
        padding(tmp_path, "llama", pad_id=421)


def test_a_default_that_the_model_has_no_row_for_is_refused(vocab_merges_dir: Path, tmp_path: Path) -> None:
    size = len(json.loads((vocab_merges_dir / "vocab.json").read_text()))
    copied(vocab_merges_dir, tmp_path, "vocab.json", "merges.txt")
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": size}))
    with pytest.raises(MindrailError, match=f"pad_id: {size} is outside the model's {size} embedding rows"):
        padding(tmp_path, "wizardcoder", compat="mindformers")
