"""Byte-level BPE vocabularies: `tokenizer.json`, or `vocab.json` with `merges.txt`, through `tokenizers`."""

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
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from modelcore.data.tokenizers.protocol import Marked, end_to_end
from modelcore.data.tokenizers.special import SpecialTokens, read_special_tokens, resolve
from modelcore.errors import MindrailError
from modelcore.store.json_file import read_json_object

__all__ = ["ByteLevelTokenizer", "load_tokenizer_json", "load_vocab_merges"]


class ByteLevelTokenizer:
    """A `tokenizers.Tokenizer` behind the interface of `protocol.Tokenizer`.

    Args:
        engine: the tokenizer; its padding, truncation and post-processing are switched off.
        special: what the files beside it said.
        where: named in errors.
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
        _check_ids(ids.bos, ids.eos, ids.pad, self.vocab_size, where)
        declared = {engine.token_to_id(text) for text in special.special}
        roles = {ids.bos, ids.eos, ids.pad}
        flagged = {number for number, token in added.items() if token.special}
        self.special_ids = frozenset(number for number in declared | roles | flagged if number is not None)
        self._added = {number: token.content for number, token in added.items()}
        # Control tokens are cut from the text before normalising; plain additions (DeepSeek's ö) after.
        self._control = {token.content for number, token in added.items() if self._is_control(number, token)}

    def _is_control(self, number: int, token: AddedToken) -> bool:
        return number in self.special_ids or not token.normalized

    @cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        """The same vocabulary with its control tokens unknown, so that they are read as characters."""
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
        first = [self._need(self.bos_id, "bos")] if bos else []
        last = [self._need(self.eos_id, "eos")] if eos else []
        engine = self._engine if specials else self._plain
        return [first + e.ids + last for e in engine.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode_marked(self, texts: Sequence[str], marks: Sequence[int], *, specials: bool = True) -> Marked:
        """See `protocol.Tokenizer.encode_marked`."""
        engine = self._engine if specials else self._plain
        encodings = engine.encode_batch_fast(list(texts), add_special_tokens=False)
        ids, lengths = end_to_end([encoding.ids for encoding in encodings])
        widths = self._widths[ids]
        begins = np.cumsum(widths) - widths
        sizes = np.fromiter((len(text.encode()) for text in texts), np.int64, len(texts))
        heads = (len(text[:mark].encode()) for text, mark in zip(texts, marks, strict=True))
        wanted = np.cumsum(sizes) - sizes + np.fromiter(heads, np.int64, len(texts))
        firsts = np.cumsum(lengths) - lengths
        # Tokens of a text that was left as it is spell its bytes; only then do they tell where each begins.
        if np.array_equal(np.add.reduceat(np.append(widths, 0), firsts) * (lengths > 0), sizes):
            return Marked(ids, lengths, np.searchsorted(begins, wanted) - firsts)
        offsets = engine.encode_batch(list(texts), add_special_tokens=False)
        found = [_first_token(encoding, mark) for encoding, mark in zip(offsets, marks, strict=True)]
        return Marked(ids, lengths, np.array(found, np.int64))

    @cached_property
    def _widths(self) -> npt.NDArray[np.int64]:
        """How many bytes each id stands for: a letter of the byte alphabet is one byte."""
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
            # The byte-level decoder would read an added `ö` as the byte 0xF6.
            text += "".join(self._added[n] for n in numbers) if added else self._engine.decode(numbers)
        return text

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """See `protocol.Tokenizer.pieces`."""
        return [self._engine.id_to_token(number) or f"<{number}>" for number in ids]

    def token_id(self, token: str) -> int | None:
        """See `protocol.Tokenizer.token_id`."""
        number: int | None = self._engine.token_to_id(token)
        return number

    def _need(self, number: int | None, role: str) -> int:
        if number is None:
            raise MindrailError(
                f"names no {role} token",
                where=self._where,
                fix=f"put {role}_token into tokenizer_config.json",
            )
        return number


def _first_token(encoding: Any, position: int) -> int:
    token = encoding.char_to_token(position)
    if token is None:
        return len(encoding.ids)
    straddles = bool(encoding.token_to_chars(token)[0] < position)
    return int(token) + straddles


def _check_ids(bos: int | None, eos: int | None, pad: int | None, size: int, where: Path) -> None:
    for role, number in (("bos", bos), ("eos", eos), ("pad", pad)):
        if number is not None and not 0 <= number < size:
            raise MindrailError(
                f"{role} id {number} lies outside the {size} ids of the vocabulary", where=where
            )


def load_tokenizer_json(path: Path, *, also_special: Sequence[str] = ()) -> ByteLevelTokenizer:
    """Load a `tokenizer.json`, with the special tokens that the files beside it name.

    Args:
        path: the file.
        also_special: further vocabulary entries to take as special tokens.

    Raises:
        MindrailError: the file cannot be read as a tokenizer, or names tokens at odds with it.
    """
    text = json.dumps(read_json_object(path))
    try:
        engine = tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # `tokenizers` raises nothing finer
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
    """Load a GPT-2 style `vocab.json` with `merges.txt`, with the special tokens the files beside them name.

    Vocabulary entries that no merge produces and that are no single byte can only be special tokens, and are
    taken as such (in StarCoder's they are exactly its 19).

    Args:
        vocab_path: token to id.
        merges_path: one merge a line.
        split_digits: read digits singly before the GPT-2 split, as StarCoder does; None decides by the
            vocabulary: one in which no merge takes in a digit was made that way.
        only_special: take these vocabulary entries as special and no others; empty takes all found.

    Raises:
        MindrailError: a file is not what its name says, or a merge is not of this vocabulary.
    """
    vocab = read_json_object(vocab_path)
    if not all(isinstance(number, int) and number >= 0 for number in vocab.values()):
        raise MindrailError("an id is not a whole number", where=vocab_path)
    merges = _read_merges(merges_path, vocab)
    produced = {left + right for left, right in merges}
    engine = tokenizers.Tokenizer(models.BPE(vocab=vocab, merges=merges))
    if split_digits is None:
        split_digits = not any(_holds_digit(token) for token in produced)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = [pre_tokenizers.Digits(individual_digits=True)] if split_digits else []
    engine.pre_tokenizer = pre_tokenizers.Sequence([*digits, byte_level])
    engine.decoder = decoders.ByteLevel()
    special = read_special_tokens(vocab_path.parent)
    if only_special:
        special.special = list(only_special)
    else:
        unreachable = (token for token in vocab if len(token) > 1 and token not in produced)
        special.special += [token for token in unreachable if token not in special.special]
    _add_tokens(engine, special, vocab_path)
    return ByteLevelTokenizer(engine, special, vocab_path)


def _holds_digit(token: str) -> bool:
    return any(character in "0123456789" for character in token)


def _read_merges(path: Path, vocab: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise MindrailError(f"not UTF-8 ({error.reason} at byte {error.start})", where=path) from error
    merges = []
    for number, line in enumerate(lines, 1):
        if (number == 1 and line.startswith("#version")) or not line.strip():
            continue
        parts = line.rstrip("\r").split(" ")
        if len(parts) != 2 or not all(text in vocab for text in (*parts, "".join(parts))):
            raise MindrailError(
                f"line {number} {line!r} is no merge of this vocabulary",
                where=path,
                fix="take vocab.json and merges.txt of one and the same model",
            )
        merges.append((parts[0], parts[1]))
    return merges


def _add_tokens(engine: tokenizers.Tokenizer, special: SpecialTokens, where: Path) -> None:
    """Add the tokens that the files beside the vocabulary add, at exactly the ids they give."""
    for text, number in sorted(special.added.items(), key=lambda item: item[1]):
        if engine.token_to_id(text) is None:
            token = AddedToken(text, special=text in special.special, normalized=False)
            engine.add_tokens([token])
        if engine.token_to_id(text) != number:
            raise MindrailError(
                f"{text!r} should be id {number} but the vocabulary makes it {engine.token_to_id(text)}",
                where=where,
                fix="take the tokenizer files of one and the same model",
            )
    known = [text for text in special.special if engine.token_to_id(text) is not None]
    engine.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in known])
