"""Rows exactly as MindFormers 1.3.2 (WizardCoder: 1.1.0) writes them, including its faults.

`MINDFORMERS_DIFFERENCES` lists the differences from `encode` for each format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelcore.data.encoding.encode import Encoded, Encoder, concatenate, control_id
from modelcore.data.encoding.formats import Format
from modelcore.data.sources.records import Dialogue, Exchange, Instruction
from modelcore.data.tokenizers import Tokenizer
from modelcore.data.tokenizers.byte_level import load_tokenizer_json, load_vocab_merges
from modelcore.errors import MindrailError

__all__ = [
    "MINDFORMERS_DIFFERENCES",
    "MindFormersLlamaEncoder",
    "MindFormersPromptEncoder",
    "instruction_only",
    "mindformers_encoder",
    "mindformers_pad",
]

MINDFORMERS_DIFFERENCES = {
    "wizardcoder": "digits are not split one by one, only <|endoftext|> is special, "
    "and the mask has the length of the prompt tokenized on its own",
    "deepseek": "a record's input is left out, the text None is a special token, "
    "and the mask has the length of the prompt tokenized on its own",
    "llama": "turns are found again by their text and counted, and a sample whose count differs is masked "
    "entirely",
    "wiki": "the rule for quotation marks is applied to the whole text, and a paragraph that it joins to a "
    "heading is dropped",
}
ANSWER = " ASSISTANT: "


def instruction_only(record: Instruction) -> Exchange:
    """Return an Alpaca record without its `input`, as in MindFormers' DeepSeek rows."""
    return Exchange(record.instruction, record.output)


def mindformers_encoder(form: Format, tokenizer: Tokenizer, directory: Path, width: int) -> Encoder:
    """Return an encoder that encodes `form` as MindFormers does.

    Args:
        form: the format.
        tokenizer: the tokenizer in `directory`.
        directory: of the tokenizer files, which MindFormers reads differently for two formats.
        width: tokens per row.

    Raises:
        MindrailError: MindFormers has no such format, or the directory lacks the files that it reads.
    """
    if form.name == "llama":
        return MindFormersLlamaEncoder(form, tokenizer, width)
    if form.name == "wizardcoder":
        vocab, merges = _required(directory, "vocab.json"), _required(directory, "merges.txt")
        their_tokenizer = load_vocab_merges(vocab, merges, split_digits=False, only_special=[form.closing])
        return MindFormersPromptEncoder(form, their_tokenizer)
    if form.name == "deepseek":
        path = _required(directory, "tokenizer.json")
        return MindFormersPromptEncoder(form, load_tokenizer_json(path, also_special=["None"]))
    raise MindrailError(f"MindFormers has no format {form.name}", where="compat", fix="leave compat at model")


def mindformers_pad(row_format: str, tokenizer: Tokenizer) -> int | None:
    """Return the padding that MindFormers' script fills rows of a format with, None where it asks for it.

    Its tokenizers take no other files than the vocabulary: Llama's pads with `<unk>`, WizardCoder's with a
    `[PAD]` that it adds behind the vocabulary.
    """
    if row_format == "llama":
        return tokenizer.unk_id
    if row_format == "wizardcoder":
        known = tokenizer.token_id("[PAD]")
        return tokenizer.vocab_size if known is None else known
    return None


def _required(directory: Path, name: str) -> Path:
    path = directory / name
    if not path.is_file():
        raise MindrailError(
            "no such file", where=path, fix="add it: compat: mindformers reads the vocabulary from it"
        )
    return path


class MindFormersPromptEncoder:
    """Tokenizes prompt and answer together, and masks as many tokens as the prompt has on its own."""

    def __init__(self, form: Format, tokenizer: Tokenizer) -> None:
        self._form = form
        self._tokenizer = tokenizer
        opening = form.opening and control_id(tokenizer, form.opening, tokenizer.bos_id, "BOS", form)
        self._head = [opening] if isinstance(opening, int) else []
        self.closing = control_id(tokenizer, form.closing, tokenizer.eos_id, "EOS", form)

    def encode(self, contents: Sequence[Dialogue]) -> Encoded:
        """See `encode.Encoder.encode`."""
        turns = [self._form.turns(dialogue)[0] for dialogue in contents]
        whole = self._tokenizer.encode_batch([turn.prompt + turn.answer for turn in turns])
        prompts = self._tokenizer.encode_batch([turn.prompt for turn in turns])
        samples = []
        for ids, prompt in zip(whole, prompts, strict=True):
            sample = [*self._head, *ids, self.closing]
            masked = min(len(self._head) + len(prompt), len(sample))
            samples.append((sample, [masked, len(sample) - masked]))
        return concatenate(samples)


class MindFormersLlamaEncoder:
    """Tokenizes a Vicuna conversation as a whole, then finds its turns by their text and counts them."""

    def __init__(self, form: Format, tokenizer: Tokenizer, width: int) -> None:
        self._form = form
        self._tokenizer = tokenizer
        self._width = width
        self._opening = control_id(tokenizer, form.opening or "", tokenizer.bos_id, "BOS", form)
        self.closing = control_id(tokenizer, form.closing, tokenizer.eos_id, "EOS", form)

    def encode(self, contents: Sequence[Dialogue]) -> Encoded:
        """See `encode.Encoder.encode`."""
        texts = [
            "".join(turn.prompt + turn.answer + self._form.closing for turn in self._form.turns(dialogue))
            for dialogue in contents
        ]
        samples = [[self._opening, *ids] for ids in self._tokenizer.encode_batch(texts)]
        turns = [self._turns(text) for text in texts]
        parts = [part for turns_of_text in turns for turn in turns_of_text for part in turn]
        counts = map(len, self._tokenizer.encode_batch(parts))
        lengths = [[(next(counts), next(counts)) for _ in turns_of_text] for turns_of_text in turns]
        return concatenate(
            [(ids, self._runs(ids, turns)) for ids, turns in zip(samples, lengths, strict=True)]
        )

    def _turns(self, text: str) -> list[tuple[str, str]]:
        """Return (question, whole turn) of each turn in the text, up to the first malformed one."""
        turns = []
        for turn in text.split(self._form.closing):
            question, separator, rest = turn.partition(ANSWER)
            if not turn or not separator or ANSWER in rest:
                break
            turns.append((question + ANSWER, turn))
        return turns

    def _runs(self, ids: list[int], lengths: list[tuple[int, int]]) -> list[int]:
        """Return alternating lengths of masked and trained runs from each turn's (question, all) tokens."""
        runs, counted = [1], 1
        for question, turn in lengths:
            # Both counts include a BOS; the question's last space belongs to the answer, and the BOS is not
            # counted twice.
            masked, length = question - 1, turn + 1
            runs[-1] += masked
            runs += [length - masked, 0]
            counted += length
        present = sum(number != 0 for number in ids[: self._width])
        if counted < self._width and counted != present:
            return [len(ids)]
        return _fit(runs, len(ids))


def _fit(runs: list[int], length: int) -> list[int]:
    """Shorten or extend a list of runs to a total of `length`; what is added is masked."""
    fitted, left = [], length
    for run in runs:
        fitted.append(max(0, min(run, left)))
        left -= fitted[-1]
    if left:
        fitted += [0] * (len(fitted) % 2) + [left]
    return fitted
