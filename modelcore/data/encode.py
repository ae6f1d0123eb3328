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

from modelcore.data.formats import Format
from modelcore.data.records import Dialogue
from modelcore.data.tokenizers import Tokenizer
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
        encoded = iter(
            self.tokenizer.encode_marked(
                [turn.prompt + turn.answer for turn in turns],
                [[len(turn.prompt)] for turn in turns],
                specials=self.specials,
            )
        )
        joined = []
        for sample in samples:
            ids: list[int] = []
            runs: list[int] = []
            for index in range(len(sample)):
                marked = next(encoded)
                head = self._head(index)
                ids += [*head, *marked.ids, self.closing]
                runs += [len(head) + marked.marks[0], len(marked.ids) - marked.marks[0] + 1]
            joined.append((ids, runs))
        return concatenate(joined)

    def _head(self, turn: int) -> list[int]:
        begins = turn == 0 or self.form.opens == "each"
        return [self.opening] if begins and self.opening is not None else []


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
        bos = self.tokenizer.bos_id is not None
        texts = self.tokenizer.encode_batch(contents, bos=bos, eos=True, specials=self.specials)
        return concatenate([(ids, [0, len(ids)]) for ids in texts])


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
