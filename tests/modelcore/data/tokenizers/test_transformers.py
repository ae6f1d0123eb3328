"""Ids compared with those of transformers, on small vocabularies and, if available, on real ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer, pre_tokenizers

from modelcore.data.tokenizers import load_tokenizer
from tests.modelcore.data.conftest import STARCODER_SPECIALS
from tests.modelcore.data.reference_rows import starcoder
from tests.modelcore.published_tokenizers import legacy_llama

TEXTS = [
    "def add(a, b):\n    return a + b\n",
    "    if x == 10:\n\t\tprint('  12  345.6e-7 ')\r\n\n\n",
    "Grüße, 世界 🙂 é e\u0301 \u00a0 ﬁ ½ ² ٣",
    " leading and trailing ",
    "",
    " ",
    "\n",
    "a</s>b <s> <unk> c </s>",
    "x<|endoftext|>y <fim_prefix>z <filename>f",
    "<|EOT|> None type(None) <｜begin▁of▁sentence｜>õ÷Áý ö",
    "▁under ▁▁ _score",
    "0x7fffFFFF 1e10 3.14159 v1.2.3 ½",
]


def assert_same_ids(directory: Path, theirs: Tokenizer, texts: list[str] = TEXTS) -> None:
    """Compare ids with those that transformers gives with this engine."""
    from transformers import PreTrainedTokenizerFast

    expected = PreTrainedTokenizerFast(tokenizer_object=theirs)(texts, add_special_tokens=False)["input_ids"]
    tokenizer = load_tokenizer(directory)
    for text, ids in zip(texts, expected, strict=True):
        assert tokenizer.encode(text) == ids, (text, tokenizer.pieces(ids))
    assert tokenizer.encode_batch(texts) == expected


def test_a_small_tokenizer_json_agrees(tokenizer_json_dir: Path) -> None:
    assert_same_ids(tokenizer_json_dir, Tokenizer.from_file(str(tokenizer_json_dir / "tokenizer.json")))


def test_small_vocab_and_merges_agree_with_their_tokenizer_json(vocab_merges_dir: Path) -> None:
    """The tokenizer.json is built here, of the same files and StarCoder's pre-tokenizer."""
    assert_same_ids(vocab_merges_dir, starcoder(vocab_merges_dir, STARCODER_SPECIALS, digits=True))


def test_small_vocab_and_merges_with_digits_in_words_agree(tmp_path: Path) -> None:
    """GPT-2's own kind: a merge holds a digit, so digits are not split."""
    vocab = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "12", "Ġ12"]
    (tmp_path / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(vocab)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n1 2\nĠ 12\n")
    assert_same_ids(tmp_path, starcoder(tmp_path, ["<|endoftext|>"], digits=False))
    assert load_tokenizer(tmp_path).pieces(load_tokenizer(tmp_path).encode("12 123")) == ["12", "Ġ12", "3"]


@pytest.mark.parametrize("files", [["tokenizer.json"], ["vocab.json", "merges.txt"]], ids=str)
def test_small_files_of_qwen2s_kind_agree_with_transformers(
    files: list[str], qwen2_dir: Path, tmp_path: Path
) -> None:
    """From vocab.json and merges.txt, transformers makes Qwen2's normaliser and pre-tokenizer, too."""
    from transformers import AutoTokenizer

    for name in (*files, "tokenizer_config.json", "generation_config.json"):
        shutil.copy(qwen2_dir / name, tmp_path)
    texts = [*TEXTS, "<|im_start|>user\nit's  I'LL\r\n\n x<|im_end|>\n", "e\u0301 ١٢ 12ab\t\tx  \n"]
    theirs, ours = AutoTokenizer.from_pretrained(tmp_path), load_tokenizer(tmp_path)
    assert ours.encode_batch(texts) == theirs(texts, add_special_tokens=False)["input_ids"]
    assert (ours.bos_id, ours.eos_id, ours.pad_id) == (
        theirs.bos_token_id,
        theirs.eos_token_id,
        theirs.pad_token_id,
    )
    assert ours.bos_id is None


def test_a_small_tokenizer_model_agrees(sentencepiece_dir: Path) -> None:
    texts = [text for text in TEXTS if text]
    assert_same_ids(sentencepiece_dir, legacy_llama(sentencepiece_dir / "tokenizer.model"), texts)


def real_texts(shared_data: Path) -> list[str]:
    records = json.loads((shared_data / "codealpaca" / "code_alpaca_2k.json").read_text(encoding="utf-8"))
    return TEXTS + [text for record in records[::4] for text in record.values()]


@pytest.mark.parametrize("name", ["starcoder1", "deepseek-coder", "deepseek-coder-v1.5"])
def test_the_real_byte_level_vocabularies_agree(name: str, shared_data: Path) -> None:
    directory = shared_data / "tokenizers" / name
    engine = Tokenizer.from_file(str(directory / "tokenizer.json"))
    assert_same_ids(directory, engine, real_texts(shared_data))


def test_starcoders_vocab_and_merges_give_the_ids_of_its_tokenizer_json(
    shared_data: Path, tmp_path: Path
) -> None:
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(shared_data / "tokenizers" / "starcoder1" / name, tmp_path)
    apart, whole = load_tokenizer(tmp_path), load_tokenizer(shared_data / "tokenizers" / "starcoder1")
    texts = real_texts(shared_data)
    assert apart.encode_batch(texts) == whole.encode_batch(texts)
    assert apart.vocab_size == whole.vocab_size == 49152
    assert apart.encode("<fim_prefix><reponame>") == [1, 18]


def test_llamas_sentencepiece_agrees_with_the_published_tokenizer_json(shared_data: Path) -> None:
    directory = shared_data / "tokenizers" / "llama2"
    texts = [text for text in real_texts(shared_data) if text]
    assert_same_ids(directory, legacy_llama(directory / "tokenizer.model"), texts)


def test_small_vocabularies_have_the_special_ids_their_files_name(
    vocab_merges_dir: Path, tokenizer_json_dir: Path, sentencepiece_dir: Path
) -> None:
    starcoder, deepseek, llama = map(
        load_tokenizer, (vocab_merges_dir, tokenizer_json_dir, sentencepiece_dir)
    )
    size = len(json.loads((vocab_merges_dir / "vocab.json").read_text()))
    assert (starcoder.vocab_size, starcoder.bos_id, starcoder.eos_id) == (size + 1, None, 0)
    assert starcoder.pad_id == size  # [PAD], added behind the vocabulary
    assert sorted(starcoder.special_ids) == [0, 1, 2, 3, 4, size]
    assert (
        deepseek.token_id("<|EOT|>") == deepseek.vocab_size - 1
    )  # behind ö; no file says that it is special
    assert (deepseek.bos_id, deepseek.eos_id, deepseek.pad_id) == (0, 1, None)
    assert sorted(deepseek.special_ids) == [0, 1]
    assert (llama.vocab_size, llama.bos_id, llama.eos_id, llama.pad_id) == (420, 1, 2, None)
    assert sorted(llama.special_ids) == [0, 1, 2]


def test_the_real_vocabularies_have_their_published_special_ids(real_tokenizers: Path) -> None:
    loaded = {path.name: load_tokenizer(path) for path in real_tokenizers.iterdir()}
    assert {name: (t.vocab_size, t.bos_id, t.eos_id, t.pad_id) for name, t in loaded.items()} == {
        "starcoder1": (49153, None, 0, 49152),
        # This copy's vocabulary is filled up to the 32256 embedding rows.
        "deepseek-coder": (32256, 32013, None, 32014),
        "deepseek-coder-v1.5": (100016, 100000, 100015, None),
        "llama2": (32000, 1, 2, 0),
    }
