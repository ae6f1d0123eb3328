"""Rows built with `tokenizers` and `sentencepiece` only: as the model's tokenizer and as MindFormers does.

Nothing here calls the code under test. `test_golden.py` compares these rows with those that MindFormers
itself wrote; `test_small_rows.py` compares our rows with these, on data and vocabularies made in the test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sentencepiece
from tokenizers import AddedToken, Encoding, Tokenizer, models, pre_tokenizers

IGNORE = -100
WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
WITHOUT_INPUT = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)
VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
DEEPSEEK = (
    "You are an AI programming assistant, utilizing the DeepSeek Coder model, developed by DeepSeek Company, "
    "and you only answer questions related to computer science. For politically sensitive questions, "
    "security and privacy issues, and other non-computer science questions, you will refuse to answer.\n"
    "### Instruction:\n{instruction}\n### Response:\n"
)

Record = dict[str, str]


class Sample(NamedTuple):
    """The ids of one sample, and whether each is a target of the loss."""

    ids: list[int]
    trained: list[bool]


def alpaca(record: Record) -> str:
    return (WITH_INPUT if record.get("input") else WITHOUT_INPUT).format_map(record)


def padded(samples: Iterable[Sample], width: int, pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Return input_ids and labels [samples, width]: truncated or padded with `pad`."""
    ids, labels = [], []
    for sample in samples:
        fill = width - len(sample.ids)
        ids.append([*sample.ids, *[pad] * fill][:width])
        targets = [i if trained else IGNORE for i, trained in zip(*sample, strict=True)]
        labels.append([*targets, *[IGNORE] * fill][:width])
    return np.array(ids, np.int32), np.array(labels, np.int32)


def starcoder(directory: Path, specials: Sequence[str], *, digits: bool) -> Tokenizer:
    """Return the tokenizer of vocab.json and merges.txt."""
    files = (str(directory / name) for name in ("vocab.json", "merges.txt"))
    engine = Tokenizer(models.BPE.from_file(*files))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    before = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
    engine.pre_tokenizer = pre_tokenizers.Sequence([*before, byte_level])
    engine.add_special_tokens([AddedToken(text, normalized=False) for text in specials])
    return engine


def deepseek(directory: Path, *, none_is_special: bool) -> Tokenizer:
    """Return the tokenizer of tokenizer.json; MindFormers' YAML makes the text None its unknown token."""
    engine = Tokenizer.from_file(str(directory / "tokenizer.json"))
    if none_is_special:
        engine.add_special_tokens([AddedToken("None", normalized=False)])
    return engine


def by_prompt_length(
    engine: Tokenizer, prompts: Sequence[str], answers: Sequence[str], *, bos: str = "", eos: str
) -> list[Sample]:
    """As MindFormers does for WizardCoder and DeepSeek: the mask has the length of the prompt alone."""
    head = [engine.token_to_id(bos)] if bos else []
    samples = []
    for prompt, answer in zip(prompts, answers, strict=True):
        ids = [*head, *_ids(engine, prompt + answer), engine.token_to_id(eos)]
        masked = len(head) + len(_ids(engine, prompt))
        samples.append(Sample(ids, [place >= masked for place in range(len(ids))]))
    return samples


def by_offsets(
    engine: Tokenizer, prompts: Sequence[str], answers: Sequence[str], *, bos: str = "", eos: str
) -> list[Sample]:
    """As the model's tokenizer does: tokens that begin in the prompt are masked."""
    head = [engine.token_to_id(bos)] if bos else []
    samples = []
    for prompt, answer in zip(prompts, answers, strict=True):
        encoding: Encoding = engine.encode(prompt + answer, add_special_tokens=False)
        inside = [begin >= len(prompt) for begin, _ in encoding.offsets]
        ids = [*head, *encoding.ids, engine.token_to_id(eos)]
        samples.append(Sample(ids, [*[False] * len(head), *inside, True]))
    return samples


def _ids(engine: Tokenizer, text: str) -> list[int]:
    ids: list[int] = engine.encode(text, add_special_tokens=False).ids
    return ids


class Llama:
    """tokenizer.model as transformers' legacy LlamaTokenizer reads it: <unk>, <s> and </s> are 0, 1, 2."""

    def __init__(self, directory: Path) -> None:
        self._model = sentencepiece.SentencePieceProcessor(model_file=str(directory / "tokenizer.model"))

    def ids(self, text: str) -> list[int]:
        """Without BOS; each part between special tokens gets a leading space."""
        stretches = filter(None, re.split("(<unk>|<s>|</s>)", text))
        special = {"<unk>": 0, "<s>": 1, "</s>": 2}
        return [i for s in stretches for i in ([special[s]] if s in special else self._model.encode(s))]


def vicuna(question: str, answer: str) -> str:
    """An empty answer has no space before it."""
    return f"{VICUNA} USER: {question} ASSISTANT:{answer and f' {answer}'}</s>"


def by_rounds(llama: Llama, texts: Sequence[str], width: int) -> list[Sample]:
    """MindFormers' llama_preprocess.py, FastChat's counting: rounds found by text, their tokens recounted."""
    samples = []
    for text in texts:
        ids = [1, *llama.ids(text)]
        trained = [True] * len(ids)
        trained[0], counted = False, 1
        for one_round in text.split("</s>"):
            parts = one_round.split(" ASSISTANT: ")
            if not one_round or len(parts) != 2:
                break
            # Both lengths include BOS; the question's last piece is the space that belongs to the answer.
            asked = 1 + len(llama.ids(parts[0] + " ASSISTANT: ")) - 2
            trained[counted : counted + asked] = [False] * len(trained[counted : counted + asked])
            counted += len(llama.ids(one_round)) + 1  # and </s>
        trained[counted:] = [False] * len(trained[counted:])
        if counted < width and counted != sum(i != 0 for i in ids[:width]):
            trained = [False] * len(ids)
        samples.append(Sample(ids, trained))
    return samples


def by_parts(llama: Llama, questions: Sequence[str], answers: Sequence[str]) -> list[Sample]:
    """As the model's tokenizer does: tokens before the answer's space are masked, the others not."""
    samples = []
    for question, answer in zip(questions, answers, strict=True):
        prompt = f"{VICUNA} USER: {question} ASSISTANT:"
        head, whole = llama.ids(prompt), llama.ids(vicuna(question, answer))
        assert whole[: len(head)] == head
        ids = [1, *whole]
        samples.append(Sample(ids, [place > len(head) for place in range(len(ids))]))
    return samples


def stream(llama: Llama, paragraphs: Sequence[str], width: int) -> np.ndarray:
    """Return full rows [rows, width] of the concatenated paragraphs, each between <s> and </s>."""
    ids = [i for paragraph in paragraphs for i in (1, *llama.ids(paragraph), 2)]
    return np.array(ids[: len(ids) // width * width], np.int32).reshape(-1, width)
