"""The decoder with its KV cache gives what transformers gives, whatever the other slots hold."""

from __future__ import annotations

from pathlib import Path

import mindspore
import numpy as np
import pytest
import torch

from modelcore.errors import MindrailError
from modelcore.generation.decoder import CHUNK, Decoder
from modelcore.models.families import read_model

from ..models import tiny


def decoder(directory: Path, *, slots: int, length: int, prompts: int) -> Decoder:
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    return Decoder(read_model(directory), directory, slots=slots, length=length, prompts=prompts)


def prompt(length: int, seed: int) -> list[int]:
    return np.random.default_rng(seed).integers(0, tiny.VOCABULARY, length).tolist()


@pytest.mark.parametrize("variant", tiny.VARIANTS)
def test_greedy_decoding_is_that_of_transformers_token_for_token(variant: str, tmp_path: Path) -> None:
    theirs = tiny.model(tiny.VARIANTS[variant])
    ours = decoder(tiny.convert(theirs, tmp_path), slots=3, length=CHUNK + 30, prompts=2)
    prompts = {2: prompt(5, 1), 0: prompt(CHUNK + 9, 2)}
    logits = ours.begin(list(prompts), list(prompts.values()))
    answers = {slot: [int(np.argmax(row))] for slot, row in zip(prompts, logits, strict=True)}
    for _ in range(19):
        tokens, lengths = np.zeros(3, np.int32), np.zeros(3, np.int32)
        for slot, answer in answers.items():
            tokens[slot], lengths[slot] = answer[-1], len(prompts[slot]) + len(answer) - 1
        logits = ours.extend(tokens, lengths)
        for slot, answer in answers.items():
            answer.append(int(np.argmax(logits[slot])))
    for slot, ids in prompts.items():
        assert answers[slot] == _transformers_greedy(theirs, ids, 20)


def _transformers_greedy(model: torch.nn.Module, ids: list[int], count: int) -> list[int]:
    sequence = list(ids)
    with torch.no_grad():
        for _ in range(count):
            sequence.append(int(model(torch.tensor([sequence])).logits[0, -1].argmax()))
    return sequence[len(ids) :]


def test_a_checkpoint_that_does_not_fit_its_config_is_refused_by_tensor(tmp_path: Path) -> None:
    directory = tiny.convert(tiny.model(tiny.config("llama")), tmp_path)
    config = directory / "config.json"
    text = config.read_text()
    for wrong, message in (
        (text.replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'), "has no tensor model.layers.2."),
        (text.replace('"num_hidden_layers": 2', '"num_hidden_layers": 1'), "holds model.layers.1."),
        (text.replace('"vocab_size": 151', '"vocab_size": 150'), r"embedding_weight is \[151, 32\]"),
    ):
        assert wrong != text
        config.write_text(wrong)
        with pytest.raises(MindrailError, match=message):
            tiny.load(directory)
