"""Rows exactly as MindFormers 1.3.2 (WizardCoder: 1.1.0) writes them, its faults included.

What differs from `encode`, format by format, is said in `PEER_WAYS`.
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

__all__ = ["PEER_WAYS", "PeerLlamaEncoder", "PeerPromptEncoder", "instruction_only", "peer_encoder"]

PEER_WAYS = {
    "wizardcoder": "digits are not split singly, only <|endoftext|> is special, "
    "and as much is masked as the prompt tokenised by itself is long",
    "deepseek": "a record's input is left out, the text None is a special token, "
    "and as much is masked as the prompt tokenised by itself is long",
    "llama": "turns are recounted by their text, and a sample whose count disagrees is wholly masked",
    "wiki": "its quote rule runs over the whole text, and paragraphs that it joins to a heading are dropped",
}
ANSWER = " ASSISTANT: "


def instruction_only(record: Instruction) -> Exchange:
    """Read an Alpaca record without its `input`, as MindFormers' DeepSeek rows do."""
    return Exchange(record.instruction, record.output)


def peer_encoder(form: Format, tokenizer: Tokenizer, directory: Path, width: int) -> Encoder:
    """Return MindFormers' way of encoding `form`.

    Args:
        form: the format.
        tokenizer: the vocabulary in `directory`.
        directory: where the tokenizer files are; two formats read them in MindFormers' own way.
        width: tokens in a row.

    Raises:
        MindrailError: MindFormers has no such format, or the directory lacks the files it reads.
    """
    if form.name == "llama":
        return PeerLlamaEncoder(form, tokenizer, width)
    if form.name == "wizardcoder":
        vocab, merges = _needed(directory, "vocab.json"), _needed(directory, "merges.txt")
        own = load_vocab_merges(vocab, merges, split_digits=False, only_special=[form.closing])
        return PeerPromptEncoder(form, own)
    if form.name == "deepseek":
        path = _needed(directory, "tokenizer.json")
        return PeerPromptEncoder(form, load_tokenizer_json(path, also_special=["None"]))
    raise MindrailError(f"MindFormers has no format {form.name}", where="compat", fix="leave compat at model")


def _needed(directory: Path, name: str) -> Path:
    path = directory / name
    if not path.is_file():
        raise MindrailError(
            "no such file", where=path, fix="compat: mindformers reads the vocabulary from it"
        )
    return path


class PeerPromptEncoder:
    """Prompt and answer tokenised together; as many tokens masked as the prompt has by itself."""

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


class PeerLlamaEncoder:
    """A Vicuna conversation tokenised whole; its turns are then found again by their text and counted."""

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
        counted = [text for found in turns for turn in found for text in turn]
        counts = map(len, self._tokenizer.encode_batch(counted))
        lengths = [[(next(counts), next(counts)) for _ in found] for found in turns]
        return concatenate([(ids, self._runs(ids, own)) for ids, own in zip(samples, lengths, strict=True)])

    def _turns(self, text: str) -> list[tuple[str, str]]:
        """Return the turns found in the text, up to one that is none: what was asked, and all of it."""
        turns = []
        for turn in text.split(self._form.closing):
            question, found, rest = turn.partition(ANSWER)
            if not turn or not found or ANSWER in rest:
                break
            turns.append((question + ANSWER, turn))
        return turns

    def _runs(self, ids: list[int], lengths: list[tuple[int, int]]) -> list[int]:
        """Return the lengths of masked and learnt runs by turns, given each turn's tokens: asked, in all."""
        runs, counted = [1], 1
        for question, turn in lengths:
            # Both counts include a BOS; the question's last space is the answer's, and the BOS is not
            # counted twice.
            asked, length = question - 1, turn + 1
            runs[-1] += asked
            runs += [length - asked, 0]
            counted += length
        present = sum(number != 0 for number in ids[: self._width])
        if counted < self._width and counted != present:
            return [len(ids)]
        return _fit(runs, len(ids))


def _fit(runs: list[int], length: int) -> list[int]:
    """Cut or lengthen a list of runs to `length` in all, what is added being masked."""
    fitted, left = [], length
    for run in runs:
        fitted.append(max(0, min(run, left)))
        left -= fitted[-1]
    if left:
        fitted += [0] * (len(fitted) % 2) + [left]
    return fitted
