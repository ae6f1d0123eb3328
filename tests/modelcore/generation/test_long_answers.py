"""Answers of 200 tokens are transformers', alone with guesses and in a ragged batch without."""

from __future__ import annotations

from pathlib import Path

import mindspore
import numpy as np
import pytest
import torch

from modelcore.data.tokenizers import load_tokenizer
from modelcore.demo.tokenizer import write_tokenizer
from modelcore.generation.decoder import Decoder
from modelcore.generation.engine import Engine
from modelcore.generation.request import Request
from modelcore.generation.sampling import Sampling
from modelcore.models.families import read_model
from tests import families

from ..models import tiny

NEW = 200
LENGTHS = (3, 70, 31)


@pytest.mark.long
@pytest.mark.parametrize("family", families.NAMES)
def test_two_hundred_greedy_tokens_are_those_of_transformers(family: str, tmp_path: Path) -> None:
    theirs = tiny.model(families.small(family, vocab=tiny.VOCABULARY, positions=320))
    directory = tiny.convert(theirs, tmp_path)
    write_tokenizer(tmp_path, ["x"], vocab_size=258, max_length=64)
    source = np.random.default_rng(1)
    prompts = [source.integers(0, tiny.VOCABULARY, length).tolist() for length in LENGTHS]
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    answers = []
    for slots, width in ((1, 8), (3, 1)):
        model = Decoder(
            read_model(directory), directory, slots=slots, length=max(LENGTHS) + NEW, prompts=1, width=width
        )
        engine = Engine(model, load_tokenizer(tmp_path), frozenset())
        requests = [Request(str(n), 0, ids, Sampling(NEW)) for n, ids in enumerate(prompts)]
        done = {one.request: list(one.ids) for finished in engine.run(requests) for one in finished}
        answers.append([done[request] for request in requests])
    alone, ragged = answers
    for ids, first, second in zip(prompts, alone, ragged, strict=True):
        expected = _greedy(theirs, ids)
        assert first == expected
        assert second == expected


def _greedy(model: torch.nn.Module, ids: list[int]) -> list[int]:
    found = model.generate(
        torch.tensor([ids]), max_new_tokens=NEW, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    return found[0, len(ids) :].tolist()
