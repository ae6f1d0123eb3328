"""Ids beside transformers' own, on small vocabularies always and on the real ones where they are at hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece
from tokenizers import AddedToken, Tokenizer, models, normalizers

from modelcore.data.tokenizers import load_tokenizer

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


def ours_and_theirs(directory: Path, theirs) -> None:
    tokenizer = load_tokenizer(directory)
    for text in TEXTS:
        expected = theirs.encode(text, add_special_tokens=False)
        assert tokenizer.encode(text) == expected, (text, tokenizer.pieces(expected))
    assert tokenizer.encode_batch(TEXTS) == [tokenizer.encode(text) for text in TEXTS]


@pytest.mark.parametrize("name", ["vocab_merges_dir", "tokenizer_json_dir"])
def test_small_byte_level_vocabularies_agree(name: str, request: pytest.FixtureRequest) -> None:
    from transformers import PreTrainedTokenizerFast

    directory = request.getfixturevalue(name)
    if name == "tokenizer_json_dir":
        theirs = PreTrainedTokenizerFast(tokenizer_file=str(directory / "tokenizer.json"))
        ours_and_theirs(directory, theirs)
    else:
        plain = load_tokenizer(directory)
        assert all(plain.decode(plain.encode(text), skip_special=False) == text for text in TEXTS)


def real_texts(shared_data: Path) -> list[str]:
    records = json.loads((shared_data / "codealpaca" / "code_alpaca_2k.json").read_text(encoding="utf-8"))
    return TEXTS + [text for record in records[::4] for text in record.values()]


@pytest.mark.parametrize("name", ["starcoder1", "deepseek-coder", "deepseek-coder-v1.5"])
def test_the_real_byte_level_vocabularies_agree(name: str, shared_data: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    directory = shared_data / "tokenizers" / name
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(directory / "tokenizer.json"))
    texts = real_texts(shared_data)
    ours = load_tokenizer(directory).encode_batch(texts)
    assert ours == theirs(texts, add_special_tokens=False)["input_ids"]


def test_starcoders_vocab_and_merges_give_what_its_tokenizer_json_gives(
    shared_data: Path, tmp_path: Path
) -> None:
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(shared_data / "tokenizers" / "starcoder1" / name, tmp_path)
    apart, whole = load_tokenizer(tmp_path), load_tokenizer(shared_data / "tokenizers" / "starcoder1")
    texts = real_texts(shared_data)
    assert apart.encode_batch(texts) == whole.encode_batch(texts)
    assert apart.vocab_size == whole.vocab_size == 49152
    assert apart.encode("<fim_prefix><reponame>") == [1, 18]


def legacy_llama(path: Path) -> Tokenizer:
    """What the published tokenizer.json of Llama 2 and CodeLlama describes, rebuilt from tokenizer.model.

    transformers 5 reads tokenizer.model without its pieces' scores, puts the merge of two spaces first and so
    gives other ids than every earlier version, the published tokenizer.json and sentencepiece itself.
    """
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    vocab = {model.id_to_piece(i): i for i in range(model.get_piece_size())}
    merges = []
    for piece, number in vocab.items():
        parts = ((piece[:at], piece[at:]) for at in range(1, len(piece)))
        known = sorted((vocab[a], vocab[b], a, b) for a, b in parts if a in vocab and b in vocab)
        merges += [(-model.get_score(number), (a, b)) for _, _, a, b in known]
    ordered = [merge for _, merge in sorted(merges, key=lambda scored: scored[0])]
    bpe = models.BPE(vocab=vocab, merges=ordered, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    return tokenizer


def test_llamas_sentencepiece_agrees_with_the_published_tokenizer_json(shared_data: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    directory = shared_data / "tokenizers" / "llama2"
    theirs = PreTrainedTokenizerFast(tokenizer_object=legacy_llama(directory / "tokenizer.model"))
    texts = [text for text in real_texts(shared_data) if text]
    ours = load_tokenizer(directory).encode_batch(texts)
    assert ours == theirs(texts, add_special_tokens=False)["input_ids"]


def test_the_real_vocabularies_have_their_published_special_ids(real_tokenizers: Path) -> None:
    loaded = {path.name: load_tokenizer(path) for path in real_tokenizers.iterdir()}
    assert {name: (t.vocab_size, t.bos_id, t.eos_id, t.pad_id) for name, t in loaded.items()} == {
        "starcoder1": (49153, None, 0, 49152),
        # This copy's vocabulary is filled up to the 32256 embedding rows.
        "deepseek-coder": (32256, 32013, None, 32014),
        "deepseek-coder-v1.5": (100016, 100000, 100015, None),
        "llama2": (32000, 1, 2, 0),
    }
