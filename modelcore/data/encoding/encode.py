"""Encodes conversations and texts as token ids with a loss mask, one chunk at a time.

The ids are those of the whole text, as in the models' training; a token that spans the boundary of prompt and
answer belongs to the prompt, because the prompt is given at inference. Padding and truncation are in `rows`.
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
    """Concatenated samples.

    Attributes:
        ids: int32 [tokens], all samples' tokens one after another.
        trained: bool [tokens], whether the token is in the loss.
        lengths: int64 [samples], tokens per sample; sums to len(ids).
    """

    ids: Int32
    trained: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]


def concatenate(samples: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Encoded:
    """Concatenate samples given as (ids, run lengths); runs alternate, the first being masked."""
    lengths = np.array([len(ids) for ids, _ in samples], dtype=np.int64)
    ids = np.fromiter(chain.from_iterable(ids for ids, _ in samples), np.int32, int(lengths.sum()))
    runs = [run for _, sample in samples for run in sample]
    trained = [bool(i % 2) for _, sample in samples for i in range(len(sample))]
    return Encoded(ids, np.repeat(np.array(trained, dtype=np.bool_), runs), lengths)


class Encoder(Protocol):
    """Encodes contents as samples; `closing` is the id that ends an answer or a text."""

    closing: int

    def encode(self, contents: Sequence[Any]) -> Encoded:
        """Encode each content (a conversation or a text, depending on the encoder) as one sample."""
        ...


@dataclass
class InstructionEncoder:
    """Encodes one format with one tokenizer.

    Attributes:
        form: the format.
        tokenizer: the tokenizer.
        opening: id before the first turn or each turn, or None.
        closing: id after each answer, in the loss like the answer.
        specials: whether special tokens written out in a record's text become their ids, as in
            `Tokenizer.encode`.
    """

    form: Format
    tokenizer: Tokenizer
    opening: int | None
    closing: int
    specials: bool = True

    @classmethod
    def of(
        cls, form: Format, tokenizer: Tokenizer, *, specials: bool = True, bos: bool = False
    ) -> InstructionEncoder:
        """Look up the format's control tokens by their text, or else use the vocabulary's BOS and EOS.

        Args:
            form: the format.
            tokenizer: the tokenizer.
            specials: see `InstructionEncoder`.
            bos: whether prompts of the model begin with BOS (`begins_with_bos`): then its samples do, too,
                also where the format has no opening token.

        Raises:
            MindrailError: the vocabulary has neither, or the format's prompts hold control tokens that would
                not be read as such.
        """
        _check_inline(form, tokenizer, specials=specials)
        if form.opening is not None:
            opening: int | None = control_id(tokenizer, form.opening, tokenizer.bos_id, "BOS", form)
        else:
            opening = tokenizer.bos_id if bos else None
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
    """Encodes plain texts for pretraining: BOS (if the vocabulary has one), text, EOS; all in the loss."""

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
                "no eos token to end a text with",
                where="tokenizer",
                fix="set eos_token in tokenizer_config.json",
            )
        return cls(tokenizer, tokenizer.eos_id, specials)

    def encode(self, contents: Sequence[str]) -> Encoded:
        """See `Encoder.encode`."""
        bos = self.tokenizer.bos_id
        marked = self.tokenizer.encode_marked(contents, [0] * len(contents), specials=self.specials)
        framed = _framed(marked, np.full(len(contents), bos is not None), bos, self.closing)
        return framed._replace(trained=np.ones_like(framed.trained))


def _framed(marked: Marked, opens: npt.NDArray[np.bool_], opening: int | None, closing: int) -> Encoded:
    """Return the texts with `opening` before those for which `opens` is true, and `closing` after each.

    Tokens that begin before a text's mark are masked, the others and the closing token are trained on.
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
    """Return the turns joined into samples of `counts` turns each."""
    before = np.concatenate([[0], np.cumsum(turns.lengths)])
    ends = np.cumsum(counts)
    return turns._replace(lengths=before[ends] - before[ends - counts])


def _check_inline(form: Format, tokenizer: Tokenizer, *, specials: bool) -> None:
    if form.inline and not specials:
        raise MindrailError(
            f"format {form.name} writes {form.inline[0]!r} into its prompts: it would be read as characters",
            where="literal_specials",
            fix="leave it true",
        )
    for text in form.inline:
        if tokenizer.token_id(text) is None:
            raise MindrailError(
                f"format {form.name} needs {text!r}, which is not in the vocabulary",
                where="tokenizer",
                fix="take the tokenizer files of the model the format is for",
            )


def control_id(tokenizer: Tokenizer, text: str, own: int | None, role: str, form: Format) -> int:
    """Return the id of the control token `text`, or else the vocabulary's `own` id for that role."""
    token_id = tokenizer.token_id(text)
    token_id = own if token_id is None else token_id
    if token_id is None:
        raise MindrailError(
            f"format {form.name} needs {text!r}, but the vocabulary has neither it nor a {role} token",
            where="tokenizer",
            fix="use the tokenizer files of the model that the format is for",
        )
    return token_id
