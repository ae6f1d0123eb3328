"""Conversations to token ids with a mask of what is learnt, a chunk at a time.

The ids are those of the whole text, as the models were trained; a token that straddles prompt and answer
belongs to the prompt, because at inference the prompt is given. Padding and cutting to rows is `rows`'
business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from modelcore.data.encoding.formats import Format
from modelcore.data.sources.records import Dialogue
from modelcore.data.tokenizers import Tokenizer
from modelcore.data.tokenizers.protocol import Marked
from modelcore.errors import MindrailError

__all__ = ["Encoded", "Encoder", "InstructionEncoder", "Int32", "TextEncoder", "concatenate", "control_id"]

Int32 = npt.NDArray[np.int32]


class Encoded(NamedTuple):
    """Samples end to end.

    Attributes:
        ids: int32, all samples' tokens one after another.
        trained: bool, same length: whether the token is learnt.
        lengths: int64, tokens of each sample; sums to len(ids).
    """

    ids: Int32
    trained: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]


def concatenate(samples: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Encoded:
    """Join samples given as (ids, run lengths); runs are alternately masked and learnt, beginning masked."""
    lengths = np.array([len(ids) for ids, _ in samples], dtype=np.int64)
    ids = np.fromiter(chain.from_iterable(ids for ids, _ in samples), np.int32, int(lengths.sum()))
    runs = [run for _, sample in samples for run in sample]
    learnt = [bool(i % 2) for _, sample in samples for i in range(len(sample))]
    return Encoded(ids, np.repeat(np.array(learnt, dtype=np.bool_), runs), lengths)


class Encoder(Protocol):
    """Contents to samples; `closing` is the id that ends an answer or a text."""

    closing: int

    def encode(self, contents: Sequence[Any]) -> Encoded:
        """Encode each content (conversation or text, as the encoder's kind wants it) as one sample."""
        ...


@dataclass
class InstructionEncoder:
    """One format over one vocabulary.

    Attributes:
        form: the layout.
        tokenizer: the vocabulary.
        opening: id before the first or each turn, None for none.
        closing: id after each answer, learnt with it.
        specials: whether special tokens written out in a record's text become their ids, as in
            `Tokenizer.encode`.
    """

    form: Format
    tokenizer: Tokenizer
    opening: int | None
    closing: int
    specials: bool = True

    @classmethod
    def of(cls, form: Format, tokenizer: Tokenizer, *, specials: bool = True) -> InstructionEncoder:
        """Look the format's control tokens up: by their text, else the vocabulary's own BOS and EOS.

        Raises:
            MindrailError: the vocabulary has neither.
        """
        opening = (
            None
            if form.opening is None
            else control_id(tokenizer, form.opening, tokenizer.bos_id, "BOS", form)
        )
        closing = control_id(tokenizer, form.closing, tokenizer.eos_id, "EOS", form)
        return cls(form, tokenizer, opening, closing, specials)

    def encode(self, contents: Sequence[Dialogue]) -> Encoded:
        """See `Encoder.encode`."""
        samples = [self.form.turns(dialogue) for dialogue in contents]
        turns = [turn for sample in samples for turn in sample]
        texts = [turn.prompt + turn.answer for turn in turns]
        marked = self.tokenizer.encode_marked(
            texts, [len(turn.prompt) for turn in turns], specials=self.specials
        )
        counts = np.array([len(sample) for sample in samples], np.int64)
        opens = np.full(len(turns), self.opening is not None)
        if self.form.opens == "first":
            later = np.ones(len(turns), np.bool_)
            later[np.cumsum(counts) - counts] = False
            opens &= ~later
        return _joined(_framed(marked, opens, self.opening, self.closing), counts)


@dataclass
class TextEncoder:
    """Plain texts for pretraining: BOS (where the vocabulary has one), the text, EOS; all of it is learnt."""

    tokenizer: Tokenizer
    closing: int
    specials: bool = True

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, specials: bool = True) -> TextEncoder:
        """Look up the id that ends a text.

        Raises:
            MindrailError: the vocabulary names no EOS.
        """
        if tokenizer.eos_id is None:
            raise MindrailError(
                "names no eos token to end a text with",
                where="tokenizer",
                fix="put eos_token into tokenizer_config.json",
            )
        return cls(tokenizer, tokenizer.eos_id, specials)

    def encode(self, contents: Sequence[str]) -> Encoded:
        """See `Encoder.encode`."""
        bos = self.tokenizer.bos_id
        marked = self.tokenizer.encode_marked(contents, [0] * len(contents), specials=self.specials)
        framed = _framed(marked, np.full(len(contents), bos is not None), bos, self.closing)
        return framed._replace(trained=np.ones_like(framed.trained))


def _framed(marked: Marked, opens: npt.NDArray[np.bool_], opening: int | None, closing: int) -> Encoded:
    """Return texts with `opening` before those that `opens` says and `closing` after each.

    What comes before a text's mark is masked, its end is learnt.
    """
    lengths = marked.lengths + opens + 1
    ends = np.cumsum(lengths)
    begins = ends - lengths
    inner = np.repeat(begins + opens - (np.cumsum(marked.lengths) - marked.lengths), marked.lengths)
    ids = np.empty(int(lengths.sum()), np.int32)
    ids[inner + np.arange(len(marked.ids))] = marked.ids
    ids[ends - 1] = closing
    if opening is not None:
        ids[begins[opens]] = opening
    trained = np.arange(len(ids)) >= np.repeat(begins + opens + marked.marks, lengths)
    return Encoded(ids, trained, lengths)


def _joined(turns: Encoded, counts: npt.NDArray[np.int64]) -> Encoded:
    """Return turns as samples of so many each."""
    before = np.concatenate([[0], np.cumsum(turns.lengths)])
    ends = np.cumsum(counts)
    return turns._replace(lengths=before[ends] - before[ends - counts])


def control_id(tokenizer: Tokenizer, text: str, own: int | None, role: str, form: Format) -> int:
    """Return the id of the control token `text`, else the vocabulary's `own` for that role."""
    number = tokenizer.token_id(text)
    number = own if number is None else number
    if number is None:
        raise MindrailError(
            f"format {form.name} needs {text!r}; it is not in the vocabulary, which names no {role} either",
            where="tokenizer",
            fix="take the tokenizer files of the model the format is for",
        )
    return number
