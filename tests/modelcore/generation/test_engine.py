from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from modelcore.data.tokenizers import Tokenizer, load_tokenizer
from modelcore.demo.tokenizer import write_tokenizer
from modelcore.generation.engine import Addition, Engine, Finished
from modelcore.generation.request import Request
from modelcore.generation.sampling import Sampling

END = 0


class Alphabet:
    """A model that follows a letter with the next one, "z" with the end; it checks how it is called."""

    def __init__(self, tokenizer: Tokenizer, slots: int, prompts: int, length: int, width: int) -> None:
        self.slots, self.prompts, self.length, self.width = slots, prompts, length, width
        letters = [tokenizer.encode(chr(c))[0] for c in range(ord("a"), ord("z") + 1)]
        self._next = dict(zip(letters, [*letters[1:], END], strict=True))
        self._size = tokenizer.vocab_size
        self._held: dict[int, list[int]] = {}
        self.begun: list[int] = []
        self.extended = 0

    def begin(self, slots: Sequence[int], prompts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        assert len(set(slots)) == len(slots) <= self.prompts
        self.begun.append(len(slots))
        self._held.update({slot: list(ids) for slot, ids in zip(slots, prompts, strict=True)})
        return np.stack([self._logits(self._held[slot][-1]) for slot in slots])

    def share(self, source: int, slots: Sequence[int]) -> None:
        self._held.update({slot: list(self._held[source]) for slot in slots})

    def extend(self, tokens: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        assert tokens.shape == (self.slots, self.width)
        self.extended += 1
        for slot in range(self.slots):
            if lengths[slot]:
                assert lengths[slot] < self.length
                self._held[slot] = [*self._held[slot][: lengths[slot]], *tokens[slot].tolist()]
        return np.stack([[self._logits(int(token)) for token in row] for row in tokens])

    def _logits(self, last: int) -> NDArray[np.float32]:
        logits = np.zeros(self._size, np.float32)
        logits[self._next.get(last, END)] = 9
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
    width: int = 1,
) -> tuple[dict[str, Finished], Alphabet]:
    model = Alphabet(tokenizer, slots=4, prompts=2, length=length, width=width)
    engine = Engine(model, tokenizer, frozenset({END}))
    requests = [
        Request(prompt, 0, tokenizer.encode(prompt), Sampling(most), stops=tuple(stops)) for prompt in prompts
    ]
    return {one.request.task_id: one for finished in engine.run(requests) for one in finished}, model


def engine_of(tokenizer: Tokenizer, **changes: int) -> tuple[Engine, Alphabet]:
    sizes = {"slots": 4, "prompts": 2, "length": 64, "width": 1} | changes
    model = Alphabet(tokenizer, **sizes)
    return Engine(model, tokenizer, frozenset({END})), model


def drain(engine: Engine) -> list[Addition]:
    added: list[Addition] = []
    while engine.busy:
        added += engine.step()
    return added


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


def test_guesses_save_calls_and_change_nothing(tokenizer: Tokenizer) -> None:
    prompts = ["abcdefghijkl ab", "mno pqrstu mn"]
    plain, slow = run(tokenizer, prompts)
    guessed, quick = run(tokenizer, prompts, width=4)
    for prompt in prompts:
        assert guessed[prompt].ids == plain[prompt].ids
        assert guessed[prompt].text == plain[prompt].text
    assert quick.extended < slow.extended


def test_a_sampled_response_depends_on_its_request_alone(tokenizer: Tokenizer) -> None:
    sampling = Sampling(12, temperature=3.0, top_k=20, top_p=0.9, repetition_penalty=1.2, seed=4)
    written = []
    for sizes in ({}, {"slots": 1, "prompts": 1, "width": 5}, {"slots": 3, "prompts": 3}):
        engine, _ = engine_of(tokenizer, **sizes)
        requests = [Request("a", n, tokenizer.encode("abc"), sampling) for n in range(5)]
        finished = [one for batch in engine.run(requests) for one in batch]
        written.append({one.request.sample: one.ids for one in finished})
    assert written[0] == written[1] == written[2]
    assert len(set(written[0].values())) > 3


def test_samples_of_one_prompt_share_the_work_of_reading_it(tokenizer: Tokenizer) -> None:
    engine, model = engine_of(tokenizer)
    requests = [Request("a", n, tokenizer.encode("abc"), Sampling(9)) for n in range(4)]
    finished = [one for batch in engine.run(requests) for one in batch]
    assert model.begun == [1]
    assert {one.text for one in finished} == {"defghijkl"}


def test_streamed_text_adds_up_to_the_response_and_never_shows_a_stop(tokenizer: Tokenizer) -> None:
    engine, _ = engine_of(tokenizer)
    engine.submit(Request("a", 0, tokenizer.encode("a"), Sampling(50), stops=("klm",), stream=True))
    added = drain(engine)
    texts = [addition.text for addition in added]
    assert "".join(texts) == "bcdefghij"
    assert texts.count("") >= 2  # "k" and "l" are held back: the stop may have begun
    assert added[-1].finished is not None
    assert added[-1].finished.finish == "stop"


def test_requests_join_and_leave_while_others_run(tokenizer: Tokenizer) -> None:
    engine, _ = engine_of(tokenizer, slots=2, prompts=1)
    long, joined, waiting = (
        Request(name, 0, tokenizer.encode(name), Sampling(50)) for name in ("a", "p", "q")
    )
    engine.submit(long)
    for _ in range(5):
        engine.step()
    engine.submit(joined)
    engine.submit(waiting)
    engine.step()
    engine.cancel(long)
    engine.cancel(waiting)
    finished = {one.finished.request: one.finished for one in drain(engine) if one.finished}
    assert (finished[long].finish, finished[long].text) == ("cancelled", "bcdef")
    assert (finished[waiting].finish, finished[waiting].text) == ("cancelled", "")
    assert finished[joined].text == "qrstuvwxyz"


def test_an_end_token_is_not_chosen_before_the_least_number_of_tokens(tokenizer: Tokenizer) -> None:
    engine, _ = engine_of(tokenizer)
    engine.submit(Request("y", 0, tokenizer.encode("y"), Sampling(6, min_new_tokens=4)))
    (finished,) = [one.finished for one in drain(engine) if one.finished]
    assert finished.tokens >= 4


def test_log_probabilities_come_with_every_token(tokenizer: Tokenizer) -> None:
    engine, _ = engine_of(tokenizer)
    engine.submit(Request("x", 0, tokenizer.encode("x"), Sampling(6, logprobs=2)))
    (finished,) = [one.finished for one in drain(engine) if one.finished]
    exact = 9 - np.log(np.exp(9) + tokenizer.vocab_size - 1)
    assert [one.token for one in finished.logprobs] == list(finished.ids)
    for one in finished.logprobs:
        assert one.logprob == pytest.approx(exact)
        assert one.top[0] == (one.token, one.logprob)
        assert len(one.top) == 2
