"""Sentencepiece vocabularies: `tokenizer.model` (CodeLlama, WizardCoder-Python).

The ids are those of transformers' legacy LlamaTokenizer: the text is split at special tokens written out in
it, and each part between them is encoded separately, with its own leading space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sentencepiece

from modelcore.boundary.files import read_file
from modelcore.data.tokenizers.protocol import Marked, concatenated
from modelcore.data.tokenizers.shared_prefixes import encode_with_shared_prefixes, words_are_separable
from modelcore.data.tokenizers.special import SpecialTokens, read_special_tokens, resolve
from modelcore.errors import MindrailError
from modelcore.store.json_file import LARGEST_VOCABULARY

__all__ = ["SentencePieceTokenizer", "load_tokenizer_model"]

SPACE = "▁"


class _Segment(NamedTuple):
    """A part of a text: one special token (`special` is its id), or characters to encode (`special` None)."""

    begin: int
    text: str
    special: int | None


class SentencePieceTokenizer:
    """A sentencepiece processor with the interface of `protocol.Tokenizer`.

    Args:
        processor: the vocabulary; must add a leading space and otherwise not change the text.
        special: the special tokens named by the files beside it.
        where: the file to name in errors.
    """

    def __init__(
        self, processor: sentencepiece.SentencePieceProcessor, special: SpecialTokens, where: Path
    ) -> None:
        self._processor = processor
        self._where = where
        size = self._size = processor.get_piece_size()
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
        self.unk_id: int | None = processor.unk_id()
        for number in (ids.bos, ids.eos, ids.pad):
            if number is not None and number >= self.vocab_size:
                raise MindrailError(
                    f"id {number} is outside the {self.vocab_size} ids of the vocabulary", where=where
                )
        declared = {text: self._require(text) for text in special.special}
        self._specials = {**own, **declared, **self._added_ids}
        special_ids = {*own.values(), *declared.values(), ids.pad}
        self.special_ids = frozenset(number for number in special_ids if number is not None)
        longest_first = sorted(self._specials, key=len, reverse=True)
        self._cut = re.compile("|".join(map(re.escape, longest_first)))
        self._widths = np.ones(self.vocab_size, np.int64)
        self._widths[:size] = [_width(processor, i) for i in range(size)]
        self._shares_prefixes = words_are_separable(processor)

    def encode(self, text: str, *, bos: bool = False, eos: bool = False, specials: bool = True) -> list[int]:
        """See `protocol.Tokenizer.encode`."""
        return self.encode_batch([text], bos=bos, eos=eos, specials=specials)[0]

    def encode_batch(
        self, texts: Sequence[str], *, bos: bool = False, eos: bool = False, specials: bool = True
    ) -> list[list[int]]:
        """See `protocol.Tokenizer.encode_batch`."""
        first = [self._required(self.bos_id, "bos")] if bos else []
        last = [self._required(self.eos_id, "eos")] if eos else []
        cut = [self._segments(text, specials) for text in texts]
        encoded = self._encode_segments(cut)
        return [[*first, *(i for _ in segments for i in next(encoded)), *last] for segments in cut]

    def encode_marked(self, texts: Sequence[str], marks: Sequence[int], *, specials: bool = True) -> Marked:
        """See `protocol.Tokenizer.encode_marked`."""
        cut = [self._segments(text, specials) for text in texts]
        ids, sizes = concatenated(list(self._encode_segments(cut)))
        counts = np.fromiter(map(len, cut), np.int64, len(cut))
        ends = np.concatenate([[0], np.cumsum(sizes)])  # of segments, in tokens
        firsts = np.concatenate([[0], np.cumsum(counts)])  # of texts, in segments
        lengths = ends[firsts[1:]] - ends[firsts[:-1]]
        widths = self._widths[ids]
        before = np.concatenate([[0], np.cumsum(widths)])  # bytes of normalized text before each token
        positions = [_position(segments, mark) for segments, mark in zip(cut, marks, strict=True)]
        index = firsts[:-1] + np.array([segment for segment, _ in positions], np.int64)
        begins = ends[index]  # of the marks' segments, in tokens
        wanted = before[begins] + np.array([offset for _, offset in positions], np.int64)
        inside = np.minimum(np.searchsorted(before[:-1], wanted), ends[np.minimum(index + 1, len(sizes))])
        return Marked(ids, lengths, np.maximum(inside, begins) - ends[firsts[:-1]])

    def _segments(self, text: str, specials: bool) -> list[_Segment]:
        if not specials:
            return [_Segment(0, text, None)] if text else []
        segments, end = [], 0
        for match in self._cut.finditer(text):
            if match.start() > end:
                segments.append(_Segment(end, text[end : match.start()], None))
            segments.append(_Segment(match.start(), match.group(), self._specials[match.group()]))
            end = match.end()
        if end < len(text):
            segments.append(_Segment(end, text[end:], None))
        return segments

    def _encode_segments(self, cut: Iterable[list[_Segment]]) -> Iterator[list[int]]:
        """Yield the ids of every segment in order; all are encoded in one call, using all cores."""
        flat = [segment for segments in cut for segment in segments]
        texts = [segment.text for segment in flat if segment.special is None]
        plain = iter(
            encode_with_shared_prefixes(self._processor, texts)
            if self._shares_prefixes
            else self._processor.encode(texts)
        )
        for segment in flat:
            yield next(plain) if segment.special is None else [segment.special]

    def decode(self, ids: Sequence[int], *, skip_special: bool = True, continues: bool = False) -> str:
        """See `protocol.Tokenizer.decode`; reverses `encode` segment by segment."""
        text = ""
        known = (i for i in ids if i < self._size or i in self._added)  # sentencepiece raises at others
        for special, run in groupby(known, key=lambda i: i in self.special_ids or i in self._added):
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
                fix="use tokenizer files of the same model",
            )
        return number

    def _required(self, number: int | None, role: str) -> int:
        if number is None:
            raise MindrailError(
                f"no {role} token",
                where=self._where,
                fix=f"set {role}_token in tokenizer_config.json",
            )
        return number


def _position(segments: Sequence[_Segment], position: int) -> tuple[int, int]:
    """Return the index of the segment of a character position, and the position in its normalized bytes.

    A token of that segment begins before the position if it begins before that byte.
    """
    if not segments or position == 0:
        return 0, 0
    index = len(segments) - 1
    while segments[index].begin > position:
        index -= 1
    segment = segments[index]
    inside = position - segment.begin
    if segment.special is not None or inside == 0:
        return index, min(inside, 1)
    # In the normalized text a space (or a written ▁) counts as one byte, and there is one at the start.
    return index, 1 + len(segment.text[:inside].replace(SPACE, " ").encode())


def _width(processor: sentencepiece.SentencePieceProcessor, number: int) -> int:
    """Return the number of bytes of normalized text in a piece; a space counts as one."""
    if processor.is_byte(number):
        return 1
    return len(processor.id_to_piece(number).replace(SPACE, " ").encode())


def load_tokenizer_model(path: Path) -> SentencePieceTokenizer:
    """Load a `tokenizer.model` with the special tokens named by the files beside it.

    Raises:
        MindrailError: the file is not a sentencepiece model, or it changes text beyond the leading space.
    """
    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=read_file(path, LARGEST_VOCABULARY))
    except (RuntimeError, UnicodeDecodeError) as error:
        raise MindrailError(
            f"not a sentencepiece model ({error})", where=path, fix="download it again"
        ) from error
    has_all_bytes = sum(map(processor.is_byte, range(processor.get_piece_size()))) == 256
    if processor.normalize("  ﬁ  x ") != "▁▁▁ﬁ▁▁x▁" or not has_all_bytes:
        raise MindrailError(
            "a sentencepiece model that changes its text (NFKC, white space) or lacks some bytes",
            where=path,
            fix="only vocabularies like Llama's (identity, leading space, byte fallback) are supported",
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
                f"{text!r} should be id {number}, which is {processor.id_to_piece(number)!r}",
                where=where,
                fix="use tokenizer files of the same model",
            )
