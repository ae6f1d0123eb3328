"""Sentencepiece vocabularies: `tokenizer.model` (CodeLlama, WizardCoder-Python).

Gives the ids of transformers' legacy LlamaTokenizer: a special token written out in the text is cut out
first, and each stretch between is encoded by itself, each with its own leading word-space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sentencepiece

from modelcore.data.tokenizers.protocol import Marked, end_to_end
from modelcore.data.tokenizers.shared_prefixes import encode_sharing, words_are_apart
from modelcore.data.tokenizers.special import SpecialTokens, read_special_tokens, resolve
from modelcore.errors import MindrailError

__all__ = ["SentencePieceTokenizer", "load_tokenizer_model"]

SPACE = "▁"


class _Stretch(NamedTuple):
    """A part of a text: one special token (`special` is its id), or characters to encode (`special` None)."""

    begin: int
    text: str
    special: int | None


class SentencePieceTokenizer:
    """A sentencepiece processor behind the interface of `protocol.Tokenizer`.

    Args:
        processor: the vocabulary; must add a leading space and otherwise leave the text as it is.
        special: what the files beside it said.
        where: named in errors.
    """

    def __init__(
        self, processor: sentencepiece.SentencePieceProcessor, special: SpecialTokens, where: Path
    ) -> None:
        self._processor = processor
        self._where = where
        size = processor.get_piece_size()
        own = {
            processor.id_to_piece(i): i
            for i in range(size)
            if processor.is_control(i) or processor.is_unknown(i)
        }
        self._added = {number: text for text, number in special.added.items() if number >= size}
        self._added_ids = {text: number for number, text in self._added.items()}
        self.vocab_size = max([size - 1, *self._added]) + 1
        defaults = {"bos": processor.bos_id(), "eos": processor.eos_id(), "pad": processor.pad_id()}
        ids = resolve(special, self.token_id, {role: n for role, n in defaults.items() if n >= 0})
        self.bos_id, self.eos_id, self.pad_id = ids.bos, ids.eos, ids.pad
        for number in (ids.bos, ids.eos, ids.pad):
            if number is not None and number >= self.vocab_size:
                raise MindrailError(
                    f"id {number} lies outside the {self.vocab_size} of the vocabulary", where=where
                )
        declared = {text: self._require(text) for text in special.special}
        self._specials = {**own, **declared, **self._added_ids}
        special_ids = {*own.values(), *declared.values(), ids.pad}
        self.special_ids = frozenset(number for number in special_ids if number is not None)
        longest_first = sorted(self._specials, key=len, reverse=True)
        self._cut = re.compile("|".join(map(re.escape, longest_first)))
        self._widths = np.ones(self.vocab_size, np.int64)
        self._widths[:size] = [_width(processor, i) for i in range(size)]
        self._sharing = words_are_apart(processor)

    def encode(self, text: str, *, bos: bool = False, eos: bool = False, specials: bool = True) -> list[int]:
        """See `protocol.Tokenizer.encode`."""
        return self.encode_batch([text], bos=bos, eos=eos, specials=specials)[0]

    def encode_batch(
        self, texts: Sequence[str], *, bos: bool = False, eos: bool = False, specials: bool = True
    ) -> list[list[int]]:
        """See `protocol.Tokenizer.encode_batch`."""
        first = [self._need(self.bos_id, "bos")] if bos else []
        last = [self._need(self.eos_id, "eos")] if eos else []
        cut = [self._stretches(text, specials) for text in texts]
        encoded = self._encode_stretches(cut)
        return [[*first, *(i for _ in stretches for i in next(encoded)), *last] for stretches in cut]

    def encode_marked(self, texts: Sequence[str], marks: Sequence[int], *, specials: bool = True) -> Marked:
        """See `protocol.Tokenizer.encode_marked`."""
        cut = [self._stretches(text, specials) for text in texts]
        ids, sizes = end_to_end(list(self._encode_stretches(cut)))
        counts = np.fromiter(map(len, cut), np.int64, len(cut))
        ends = np.concatenate([[0], np.cumsum(sizes)])  # of stretches, in tokens
        firsts = np.concatenate([[0], np.cumsum(counts)])  # of texts, in stretches
        lengths = ends[firsts[1:]] - ends[firsts[:-1]]
        widths = self._widths[ids]
        before = np.concatenate([[0], np.cumsum(widths)])  # bytes of normalised text before each token
        places = [_place(stretches, mark) for stretches, mark in zip(cut, marks, strict=True)]
        index = firsts[:-1] + np.array([place[0] for place in places], np.int64)
        begins = ends[index]  # of the marks' stretches, in tokens
        wanted = before[begins] + np.array([place[1] for place in places], np.int64)
        inside = np.minimum(np.searchsorted(before[:-1], wanted), ends[np.minimum(index + 1, len(sizes))])
        return Marked(ids, lengths, np.maximum(inside, begins) - ends[firsts[:-1]])

    def _stretches(self, text: str, specials: bool) -> list[_Stretch]:
        if not specials:
            return [_Stretch(0, text, None)] if text else []
        found, end = [], 0
        for match in self._cut.finditer(text):
            if match.start() > end:
                found.append(_Stretch(end, text[end : match.start()], None))
            found.append(_Stretch(match.start(), match.group(), self._specials[match.group()]))
            end = match.end()
        if end < len(text):
            found.append(_Stretch(end, text[end:], None))
        return found

    def _encode_stretches(self, cut: Iterable[list[_Stretch]]) -> Iterator[list[int]]:
        """Yield the ids of every stretch in order; all characters are encoded in one call, on all cores."""
        flat = [stretch for stretches in cut for stretch in stretches]
        texts = [stretch.text for stretch in flat if stretch.special is None]
        plain = iter(
            encode_sharing(self._processor, texts) if self._sharing else self._processor.encode(texts)
        )
        for stretch in flat:
            yield next(plain) if stretch.special is None else [stretch.special]

    def decode(self, ids: Sequence[int], *, skip_special: bool = True, continues: bool = False) -> str:
        """See `protocol.Tokenizer.decode`; undoes `encode` stretch by stretch."""
        text = ""
        for special, run in groupby(ids, key=lambda i: i in self.special_ids or i in self._added):
            numbers = list(run)
            if special:
                text += "".join(
                    self.pieces([n for n in numbers if not (skip_special and n in self.special_ids)])
                )
                continues = False
                continue
            decoded: str = self._processor.decode(numbers)
            spaced = continues and self._processor.id_to_piece(numbers[0]).startswith(SPACE)
            text += " " * spaced + decoded
        return text

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """See `protocol.Tokenizer.pieces`."""
        return [self._added[i] if i in self._added else str(self._processor.id_to_piece(i)) for i in ids]

    def token_id(self, token: str) -> int | None:
        """See `protocol.Tokenizer.token_id`."""
        if token in self._added_ids:
            return self._added_ids[token]
        number = int(self._processor.piece_to_id(token))
        return number if self._processor.id_to_piece(number) == token else None

    def _require(self, text: str) -> int:
        number = self.token_id(text)
        if number is None:
            raise MindrailError(
                f"special token {text!r} is not in the vocabulary",
                where=self._where,
                fix="take the tokenizer files of one and the same model",
            )
        return number

    def _need(self, number: int | None, role: str) -> int:
        if number is None:
            raise MindrailError(
                f"names no {role} token",
                where=self._where,
                fix=f"put {role}_token into tokenizer_config.json",
            )
        return number


def _place(stretches: Sequence[_Stretch], position: int) -> tuple[int, int]:
    """Return the stretch a character position lies in, and how many bytes of normalised text come before it.

    A token of that stretch begins before the position if it begins before that byte.
    """
    if not stretches or position == 0:
        return 0, 0
    index = len(stretches) - 1
    while stretches[index].begin > position:
        index -= 1
    stretch = stretches[index]
    inside = position - stretch.begin
    if stretch.special is not None or inside == 0:
        return index, min(inside, 1)
    # In the normalised text a space (or a written ▁) counts as one byte, and one stands in front.
    return index, 1 + len(stretch.text[:inside].replace(SPACE, " ").encode())


def _width(processor: sentencepiece.SentencePieceProcessor, number: int) -> int:
    """Return how many bytes of normalised text a piece stands for, a word-space counted as one."""
    if processor.is_byte(number):
        return 1
    return len(processor.id_to_piece(number).replace(SPACE, " ").encode())


def load_tokenizer_model(path: Path) -> SentencePieceTokenizer:
    """Load a `tokenizer.model`, with the special tokens that the files beside it name.

    Raises:
        MindrailError: the file is no sentencepiece model, or one that rewrites text beyond the leading space.
    """
    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes())
    except (RuntimeError, UnicodeDecodeError) as error:
        raise MindrailError(
            f"not a sentencepiece model ({error})", where=path, fix="download it again"
        ) from error
    bytes_known = sum(map(processor.is_byte, range(processor.get_piece_size()))) == 256
    if processor.normalize("  ﬁ  x ") != "▁▁▁ﬁ▁▁x▁" or not bytes_known:
        raise MindrailError(
            "a sentencepiece model that rewrites its text (NFKC, white space) or does not know every byte",
            where=path,
            fix="only vocabularies of Llama's kind (identity, leading space, byte fallback) are supported",
        )
    special = read_special_tokens(path.parent)
    try:
        _check_added(special, processor, path)
        return SentencePieceTokenizer(processor, special, path)
    except UnicodeDecodeError as error:
        raise MindrailError("a piece is not UTF-8", where=path, fix="download it again") from error


def _check_added(
    special: SpecialTokens, processor: sentencepiece.SentencePieceProcessor, where: Path
) -> None:
    for text, number in special.added.items():
        inside = number < processor.get_piece_size()
        if inside and processor.id_to_piece(number) != text:
            raise MindrailError(
                f"{text!r} is said to be id {number}, which is {processor.id_to_piece(number)!r}",
                where=where,
                fix="take the tokenizer files of one and the same model",
            )
