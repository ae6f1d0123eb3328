"""Fill-in-the-middle prompts contain each of the family's tokens once, and the two parts unchanged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece

from modelcore.data.encoding.infilling import infill_ids
from modelcore.data.encoding.prompts import CODELLAMA_INFILL, DEEPSEEK_INFILL, STARCODER_INFILL
from modelcore.data.tokenizers import load_tokenizer
from modelcore.errors import MindrailError

PREFIX, SUFFIX = "def add(a, b):\n    return ", " + b  # sum\n"
TOKENS = ("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>")


@pytest.fixture
def codellama(sentencepiece_dir: Path, tmp_path: Path) -> Path:
    """A small vocabulary with CodeLlama's four infilling tokens added."""
    directory = shutil.copytree(sentencepiece_dir, tmp_path / "codellama")
    size = load_tokenizer(directory).vocab_size
    (directory / "added_tokens.json").write_text(json.dumps({t: size + i for i, t in enumerate(TOKENS)}))
    (directory / "tokenizer_config.json").write_text(json.dumps({"additional_special_tokens": TOKENS}))
    return directory


def test_codellamas_prompt_is_metas(codellama: Path) -> None:
    tokenizer = load_tokenizer(codellama)
    model = sentencepiece.SentencePieceProcessor(model_file=str(codellama / "tokenizer.model"))
    pre, suf, mid, _ = (tokenizer.token_id(token) or 0 for token in TOKENS)
    smiley = model.encode("☺")
    expected = [pre, *model.encode(PREFIX), suf, *model.encode("☺" + SUFFIX)[len(smiley) :], mid]
    assert infill_ids(tokenizer, CODELLAMA_INFILL, PREFIX, SUFFIX) == expected
    assert tokenizer.token_id(CODELLAMA_INFILL.end) == mid + 1


@pytest.mark.parametrize("suffix", [SUFFIX, "x", "\n\n", "", "    y", "日本"])
def test_a_suffix_has_no_leading_space(codellama: Path, suffix: str) -> None:
    model = sentencepiece.SentencePieceProcessor(model_file=str(codellama / "tokenizer.model"))
    tokenizer = load_tokenizer(codellama)
    ids = infill_ids(tokenizer, CODELLAMA_INFILL, "a", suffix)
    begin = ids.index(tokenizer.vocab_size - 3) + 1  # behind ▁<SUF>, the second of the four added tokens
    pieces = [model.id_to_piece(i) for i in ids[begin:-1]]
    assert model.decode_pieces(["a", *pieces]) == f"a{suffix}"


def test_small_vocabularies_give_the_ids_of_the_written_prompt(vocab_merges_dir: Path) -> None:
    tokenizer = load_tokenizer(vocab_merges_dir)
    text = STARCODER_INFILL.template.format(prefix=PREFIX, suffix=SUFFIX)
    assert infill_ids(tokenizer, STARCODER_INFILL, PREFIX, SUFFIX) == tokenizer.encode(text)


def test_the_real_vocabulary_gives_the_ids_of_metas_code(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "tokenizers" / "llama2" / "tokenizer.model", tmp_path)
    added = {token: 32000 + at for at, token in enumerate(TOKENS)}
    (tmp_path / "added_tokens.json").write_text(json.dumps(added))
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    for suffix in (SUFFIX, "x", "\n\n", "", "    y"):
        expected = [32000, *model.encode(PREFIX), 32001, *model.encode("☺" + suffix)[2:], 32002]
        assert infill_ids(load_tokenizer(tmp_path), CODELLAMA_INFILL, PREFIX, suffix) == expected


def test_deepseeks_and_starcoders_prompts_are_their_texts(real_tokenizers: Path) -> None:
    for name, form in (("deepseek-coder", DEEPSEEK_INFILL), ("starcoder1", STARCODER_INFILL)):
        tokenizer = load_tokenizer(real_tokenizers / name)
        text = form.template.format(prefix=PREFIX, suffix=SUFFIX)
        assert infill_ids(tokenizer, form, PREFIX, SUFFIX) == tokenizer.encode(text)


def test_a_token_written_out_in_the_text_stays_text(codellama: Path) -> None:
    tokenizer = load_tokenizer(codellama)
    ids = infill_ids(tokenizer, CODELLAMA_INFILL, "a ▁<MID> b", "</s>")
    assert ids.count(tokenizer.token_id("▁<MID>") or 0) == 1 and tokenizer.eos_id not in ids


def test_a_vocabulary_without_the_tokens_is_refused(sentencepiece_dir: Path) -> None:
    with pytest.raises(MindrailError, match=r"the vocabulary has no ▁<PRE>"):
        infill_ids(load_tokenizer(sentencepiece_dir), CODELLAMA_INFILL, PREFIX, SUFFIX)
