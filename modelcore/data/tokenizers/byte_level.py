"""Byte-level BPE vocabularies, from `tokenizer.json` or `vocab.json` with `merges.txt`, by `tokenizers`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers

from modelcore.boundary.files import read_utf8
from modelcore.data.tokenizers.protocol import Marked, concatenated
from modelcore.data.tokenizers.special import MOST_IDS, SpecialTokens, read_special_tokens, resolve
from modelcore.errors import MindrailError
from modelcore.store.json_file import LARGEST_VOCABULARY, read_json_object

__all__ = ["ByteLevelTokenizer", "load_tokenizer_json", "load_vocab_merges"]

# What Qwen2 splits texts by (transformers, models/qwen2/tokenization_qwen2.py).
_QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


class ByteLevelTokenizer:
    """A `tokenizers.Tokenizer` with the interface of `protocol.Tokenizer`.

    Args:
        engine: the tokenizer; its padding, truncation and post-processing are switched off.
        special: the special tokens named by the files beside it.
        where: the file to name in errors.
    """

    def __init__(self, engine: tokenizers.Tokenizer, special: SpecialTokens, where: Path) -> None:
        engine.no_padding()
        engine.no_truncation()
        engine.post_processor = None
        self._engine = engine
        self._where = where
        added = engine.get_added_tokens_decoder()
        self.vocab_size = (
            max(chain(added, engine.get_vocab(with_added_tokens=False).values()), default=-1) + 1
        )
        ids = resolve(special, engine.token_to_id, {})
        self.bos_id, self.eos_id, self.pad_id = ids.bos, ids.eos, ids.pad
        self.unk_id: int | None = None
        _check_ids(ids.bos, ids.eos, ids.pad, self.vocab_size, where)
        declared = {engine.token_to_id(text) for text in special.special}
        roles = {ids.bos, ids.eos, ids.pad}
        flagged = {number for number, token in added.items() if token.special}
        self.special_ids = frozenset(number for number in declared | roles | flagged if number is not None)
        self._added = {number: token.content for number, token in added.items()}
        # Control tokens are found in the text before normalizing; ordinary additions (DeepSeek's ö) after.
        self._control = {token.content for number, token in added.items() if self._is_control(number, token)}

    def _is_control(self, number: int, token: AddedToken) -> bool:
        return number in self.special_ids or not token.normalized

    @cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        """The same vocabulary without its control tokens, so that they are read as characters."""
        state = json.loads(self._engine.to_str())
        state["added_tokens"] = [t for t in state["added_tokens"] if t["content"] not in self._control]
        return tokenizers.Tokenizer.from_str(json.dumps(state))

    def encode(self, text: str, *, bos: bool = False, eos: bool = False, specials: bool = True) -> list[int]:
        """See `protocol.Tokenizer.encode`."""
        return self.encode_batch([text], bos=bos, eos=eos, specials=specials)[0]

    def encode_batch(
        self, texts: Sequence[str], *, bos: bool = False, eos: bool = False, specials: bool = True
    ) -> list[list[int]]:
        """See `protocol.Tokenizer.encode_batch`."""
        first = [self._required(self.bos_id, "bos")] if bos else []
        last = [self._required(self.eos_id, "eos")] if eos else []
        engine = self._engine if specials else self._plain
        return [first + e.ids + last for e in engine.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode_marked(self, texts: Sequence[str], marks: Sequence[int], *, specials: bool = True) -> Marked:
        """See `protocol.Tokenizer.encode_marked`."""
        engine = self._engine if specials else self._plain
        encodings = engine.encode_batch_fast(list(texts), add_special_tokens=False)
        ids, lengths = concatenated([encoding.ids for encoding in encodings])
        widths = self._widths[ids]
        begins = np.cumsum(widths) - widths
        sizes = np.fromiter((len(text.encode()) for text in texts), np.int64, len(texts))
        heads = (len(text[:mark].encode()) for text, mark in zip(texts, marks, strict=True))
        wanted = np.cumsum(sizes) - sizes + np.fromiter(heads, np.int64, len(texts))
        firsts = np.cumsum(lengths) - lengths
        # If the texts were not normalized, the tokens spell their bytes, which gives each token's position.
        if np.array_equal(np.add.reduceat(np.append(widths, 0), firsts) * (lengths > 0), sizes):
            return Marked(ids, lengths, np.searchsorted(begins, wanted) - firsts)
        offsets = engine.encode_batch(list(texts), add_special_tokens=False)
        counts = [_tokens_before(encoding, mark) for encoding, mark in zip(offsets, marks, strict=True)]
        return Marked(ids, lengths, np.array(counts, np.int64))

    @cached_property
    def _widths(self) -> npt.NDArray[np.int64]:
        """The number of bytes that each id stands for; a character of the byte alphabet is one byte."""
        widths = np.ones(self.vocab_size, np.int64)
        for token, number in self._engine.get_vocab(with_added_tokens=False).items():
            widths[number] = len(token)
        for number, text in self._added.items():
            widths[number] = len(text.encode())
        return widths

    def decode(self, ids: Sequence[int], *, skip_special: bool = True, continues: bool = False) -> str:
        """See `protocol.Tokenizer.decode`."""
        kept = (number for number in ids if not (skip_special and number in self.special_ids))
        text = ""
        for added, run in groupby(kept, key=self._added.__contains__):
            numbers = list(run)
            # The byte-level decoder would decode an added `ö` as the byte 0xF6.
            text += "".join(self._added[n] for n in numbers) if added else self._engine.decode(numbers)
        return text

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """See `protocol.Tokenizer.pieces`."""
        return [self._engine.id_to_token(number) or f"<{number}>" for number in ids]

    def token_id(self, token: str) -> int | None:
        """See `protocol.Tokenizer.token_id`."""
        number: int | None = self._engine.token_to_id(token)
        return number

    def _required(self, number: int | None, role: str) -> int:
        if number is None:
            raise MindrailError(
                f"no {role} token",
                where=self._where,
                fix=f"set {role}_token in tokenizer_config.json",
            )
        return number


def _tokens_before(encoding: Any, position: int) -> int:
    """Return the number of tokens that begin before a character position."""
    token = encoding.char_to_token(position)
    if token is None:
        return len(encoding.ids)
    begins_before = bool(encoding.token_to_chars(token)[0] < position)
    return int(token) + begins_before


def _check_ids(bos: int | None, eos: int | None, pad: int | None, size: int, where: Path) -> None:
    for role, number in (("bos", bos), ("eos", eos), ("pad", pad)):
        if number is not None and not 0 <= number < size:
            raise MindrailError(
                f"{role} id {number} is outside the {size} ids of the vocabulary", where=where
            )


def load_tokenizer_json(path: Path, *, also_special: Sequence[str] = ()) -> ByteLevelTokenizer:
    """Load a `tokenizer.json` with the special tokens named by the files beside it.

    Args:
        path: the file.
        also_special: further vocabulary entries to treat as special tokens.

    Raises:
        MindrailError: the file is not a tokenizer, or the files beside it contradict it.
    """
    text = json.dumps(read_json_object(path, LARGEST_VOCABULARY))
    try:
        engine = tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # `tokenizers` raises no narrower class
        raise MindrailError(
            f"not a tokenizer ({error})", where=path, fix="download the file again"
        ) from error
    special = read_special_tokens(path.parent)
    special.special += also_special
    _add_tokens(engine, special, path)
    return ByteLevelTokenizer(engine, special, path)


def load_vocab_merges(
    vocab_path: Path, merges_path: Path, *, split_digits: bool | None = None, only_special: Sequence[str] = ()
) -> ByteLevelTokenizer:
    """Load a GPT-2 style `vocab.json` with `merges.txt` and the special tokens of the files beside them.

    Texts are normalised and split as by Qwen2 if tokenizer_config.json names its tokenizer, else as by GPT-2.

    Vocabulary entries that no merge produces and that are not single bytes can only be special tokens, and
    are treated as such (in StarCoder's vocabulary these are exactly its 19).

    Args:
        vocab_path: token to id.
        merges_path: one merge per line.
        split_digits: split digits one by one before the GPT-2 split, as StarCoder does; None splits them if
            no merge of the vocabulary contains a digit.
        only_special: the only vocabulary entries to treat as special; if empty, all that are found.

    Raises:
        MindrailError: a file has another format, or a merge is not part of this vocabulary.
    """
    vocab = read_json_object(vocab_path, LARGEST_VOCABULARY)
    if not all(isinstance(number, int) and 0 <= number < MOST_IDS for number in vocab.values()):
        raise MindrailError(f"an id is not a whole number below {MOST_IDS}", where=vocab_path)
    merges = _read_merges(merges_path, vocab)
    produced = {left + right for left, right in merges}
    engine = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges))
    if _is_qwen2(vocab_path.with_name("tokenizer_config.json")):
        _split_as_qwen2(engine)
    else:
        if split_digits is None:
            split_digits = not any(_has_digit(token) for token in produced)
        _split_as_gpt2(engine, split_digits=split_digits)
    engine.decoder = decoders.ByteLevel()
    special = read_special_tokens(vocab_path.parent)
    if only_special:
        special.special = list(only_special)
    else:
        unreachable = (token for token in vocab if len(token) > 1 and token not in produced)
        special.special += [token for token in unreachable if token not in special.special]
    _add_tokens(engine, special, vocab_path)
    return ByteLevelTokenizer(engine, special, vocab_path)


def _is_qwen2(tokenizer_config: Path) -> bool:
    if not tokenizer_config.is_file():
        return False
    return str(read_json_object(tokenizer_config).get("tokenizer_class")).startswith("Qwen2Tokenizer")


def _split_as_qwen2(engine: tokenizers.Tokenizer) -> None:
    engine.normalizer = normalizers.NFC()
    words = pre_tokenizers.Split(Regex(_QWEN2_WORDS), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    engine.pre_tokenizer = pre_tokenizers.Sequence([words, byte_level])


def _split_as_gpt2(engine: tokenizers.Tokenizer, *, split_digits: bool) -> None:
    digits = [pre_tokenizers.Digits(individual_digits=True)] if split_digits else []
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    engine.pre_tokenizer = pre_tokenizers.Sequence([*digits, byte_level])


def _has_digit(token: str) -> bool:
    return any(character in "0123456789" for character in token)


def _read_merges(path: Path, vocab: dict[str, Any]) -> list[tuple[str, str]]:
    lines = read_utf8(path, LARGEST_VOCABULARY).split("\n")
    merges = []
    for number, line in enumerate(lines, 1):
        if (number == 1 and line.startswith("#version")) or not line.strip():
            continue
        parts = line.rstrip("\r").split(" ")
        if len(parts) != 2 or not all(text in vocab for text in (*parts, "".join(parts))):
            raise MindrailError(
                f"line {number} {line!r} is not a merge of this vocabulary",
                where=path,
                fix="use vocab.json and merges.txt of the same model",
            )
        merges.append((parts[0], parts[1]))
    return merges


def _add_tokens(engine: tokenizers.Tokenizer, special: SpecialTokens, where: Path) -> None:
    """Add the tokens from the files beside the vocabulary, with exactly the ids given there."""
    for text, number in sorted(special.added.items(), key=lambda item: item[1]):
        if engine.token_to_id(text) is None:
            token = AddedToken(text, special=text in special.special, normalized=False)
            engine.add_tokens([token])
        if engine.token_to_id(text) != number:
            raise MindrailError(
                f"{text!r} should be id {number}, but is {engine.token_to_id(text)} in the vocabulary",
                where=where,
                fix="use tokenizer files of the same model",
            )
    known = [text for text in special.special if engine.token_to_id(text) is not None]
    engine.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in known])
