from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from modelcore.data.tokenizers import Tokenizer, load_tokenizer
from modelcore.demo.tokenizer import write_tokenizer
from modelcore.generation.engine import Drawing, Engine, Finished, Request
from modelcore.generation.stopping import Ending

END = 0


class Alphabet:
    """A model that goes on from a letter with the next one, from "z" with the end; it checks its use."""

    def __init__(self, tokenizer: Tokenizer, slots: int, prompts: int, length: int) -> None:
        self.slots, self.prompts, self.length = slots, prompts, length
        letters = [tokenizer.encode(chr(c))[0] for c in range(ord("a"), ord("z") + 1)]
        self._next = dict(zip(letters, [*letters[1:], END], strict=True))
        self._size = tokenizer.vocab_size
        self._held: dict[int, list[int]] = {}
        self.begun: list[int] = []

    def begin(self, slots: Sequence[int], prompts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        assert len(set(slots)) == len(slots) <= self.prompts
        self.begun.append(len(slots))
        self._held.update({slot: list(ids) for slot, ids in zip(slots, prompts, strict=True)})
        return np.stack([self._logits(slot) for slot in slots])

    def extend(self, tokens: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        for slot in range(self.slots):
            if lengths[slot]:
                assert len(self._held[slot]) == lengths[slot] < self.length
                self._held[slot].append(int(tokens[slot]))
        return np.stack([self._logits(slot) for slot in range(self.slots)])

    def _logits(self, slot: int) -> NDArray[np.float32]:
        logits = np.zeros(self._size, np.float32)
        logits[self._next.get(self._held.get(slot, [END])[-1], END)] = 1
        return logits


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    directory = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(directory, ["x"], vocab_size=258, max_length=64)
    return load_tokenizer(directory)


def run(
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    *,
    stops: Sequence[str] = (),
    most: int = 99,
    length: int = 64,
) -> tuple[dict[str, Finished], Alphabet]:
    model = Alphabet(tokenizer, slots=4, prompts=2, length=length)
    engine = Engine(model, Ending(tokenizer, frozenset({END}), stops), Drawing(max_new_tokens=most))
    requests = [Request(prompt, 0, tokenizer.encode(prompt)) for prompt in prompts]
    return {one.request.task_id: one for finished in engine.run(requests) for one in finished}, model


def test_every_request_is_answered_and_free_slots_are_filled_again(tokenizer: Tokenizer) -> None:
    prompts = [chr(c) for c in range(ord("a"), ord("z"))]
    answers, model = run(tokenizer, prompts)
    for prompt in prompts:
        rest = "".join(chr(c) for c in range(ord(prompt) + 1, ord("z") + 1))
        assert (answers[prompt].text, answers[prompt].finish) == (rest, "eos")
    assert sum(model.begun) == len(prompts)
    assert set(model.begun[:-1]) == {2}


def test_a_response_ends_before_the_first_stop_even_across_tokens(tokenizer: Tokenizer) -> None:
    answers, _ = run(tokenizer, ["a", "m"], stops=["xyz", "fgh", ""])
    assert (answers["a"].text, answers["a"].finish) == ("bcde", "stop")
    assert (answers["m"].text, answers["m"].finish) == ("nopqrstuvw", "stop")
    assert answers["a"].tokens == len("bcdefgh")


def test_a_response_is_cut_at_the_most_tokens(tokenizer: Tokenizer) -> None:
    answers, _ = run(tokenizer, ["a", "y"], most=3)
    assert (answers["a"].text, answers["a"].finish) == ("bcd", "length")
    assert (answers["y"].text, answers["y"].finish) == ("z", "eos")


def test_a_response_is_cut_at_the_end_of_the_context(tokenizer: Tokenizer) -> None:
    answers, _ = run(tokenizer, ["abc", "d"], length=6)
    assert (answers["abc"].text, answers["abc"].finish) == ("def", "length")
    assert (answers["d"].text, answers["d"].finish) == ("efghi", "length")
