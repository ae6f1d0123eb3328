"""The decoder with its KV cache gives what transformers gives, whatever the other slots hold."""

from __future__ import annotations

from pathlib import Path

import mindspore
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM

from modelcore.errors import MindrailError
from modelcore.generation.decoder import CHUNK, Decoder
from modelcore.models.families import read_model
from modelcore.weights.dtypes import BF16, FP16, FP32, DType

from ..models import tiny


def decoder(directory: Path, *, slots: int, length: int, prompts: int, width: int = 1) -> Decoder:
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    return Decoder(read_model(directory), directory, slots=slots, length=length, prompts=prompts, width=width)


def prompt(length: int, seed: int) -> list[int]:
    return np.random.default_rng(seed).integers(0, tiny.VOCABULARY, length).tolist()


@pytest.mark.parametrize("variant", tiny.SOME_VARIANTS)
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
        logits = ours.extend(tokens.reshape(3, 1), lengths)[:, 0]
        for slot, answer in answers.items():
            answer.append(int(np.argmax(logits[slot])))
    for slot, ids in prompts.items():
        assert answers[slot] == _transformers_greedy(theirs, ids, 20)


@pytest.mark.parametrize("family", ["llama", pytest.param("gpt_bigcode", marks=pytest.mark.long)])
def test_weights_kept_in_16_bits_give_the_logits_of_float32_to_the_last_bit(
    family: str, tmp_path: Path
) -> None:
    theirs = tiny.model(tiny.config(family, tie_word_embeddings=False)).to(torch.bfloat16)
    directory = tiny.convert(theirs, tmp_path)
    ids = prompt(CHUNK + 9, 2)
    kept, widened = (_logits(directory, ids, matrices=matrices) for matrices in (BF16, FP32))
    assert np.array_equal(kept, widened)
    with torch.no_grad():
        rounded = theirs(torch.tensor([ids])).logits[0, -1].float().numpy()
        same = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype=torch.float32)
        exact = same(torch.tensor([ids])).logits[0, -1].numpy()
    np.testing.assert_allclose(kept, exact, atol=1e-4)
    # transformers computing in bfloat16 rounds each product to 8 bits: near, and no more can be asked.
    assert np.abs(kept - rounded).max() < 0.05 * np.abs(exact).max()


def test_weights_are_kept_in_the_type_that_is_named(tmp_path: Path) -> None:
    directory = tiny.convert(tiny.model(tiny.config("llama")), tmp_path)
    exact, rounded = (_logits(directory, prompt(9, 2), matrices=matrices) for matrices in (FP32, FP16))
    assert not np.array_equal(exact, rounded)
    np.testing.assert_allclose(rounded, exact, atol=0.01)


def test_a_weight_that_float16_cannot_hold_is_an_error(tmp_path: Path) -> None:
    model = tiny.model(tiny.config("llama"))
    model.model.layers[1].mlp.down_proj.weight.data[0, 0] = 7e4
    directory = tiny.convert(model, tmp_path)
    with pytest.raises(MindrailError, match=r"layers\.1\.feed_forward\.w2\.weight: .*too large for fp16"):
        _logits(directory, prompt(9, 2), matrices=FP16)


def _logits(directory: Path, ids: list[int], *, matrices: DType) -> NDArray[np.float32]:
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    made = Decoder(read_model(directory), directory, slots=1, length=200, prompts=1, matrices=matrices)
    made.begin([0], [ids[:-1]])
    return made.extend(np.array([ids[-1:]], np.int32), np.array([len(ids) - 1], np.int32))[0, 0]


def _transformers_greedy(model: torch.nn.Module, ids: list[int], count: int) -> list[int]:
    sequence = list(ids)
    with torch.no_grad():
        for _ in range(count):
            sequence.append(int(model(torch.tensor([sequence])).logits[0, -1].argmax()))
    return sequence[len(ids) :]


def test_no_bit_of_the_logits_depends_on_slots_company_or_the_length_of_the_cache(tmp_path: Path) -> None:
    raw = tiny.config("llama", hidden_size=256, intermediate_size=688, num_hidden_layers=1)
    directory = tiny.convert(tiny.model(raw, deviation=0.02), tmp_path)
    alone, among = (
        _greedy_logits(decoder(directory, slots=slots, length=length, prompts=1, width=width), company)
        for slots, length, width, company in ((1, CHUNK, 8, 0), (5, 2 * CHUNK, 1, 2))
    )
    assert np.array_equal(alone, among)


def _greedy_logits(model: Decoder, company: int) -> np.ndarray:
    """Return the logits of four greedy steps in slot 0, with other prompts in the slots after it."""
    rows = [model.begin([0], [prompt(20, 1)])[0]]
    for slot in range(1, company + 1):
        model.begin([slot], [prompt(30 * slot, slot)])
    for step in range(3):
        tokens = np.full((model.slots, model.width), 7, np.int32)
        lengths = np.full(model.slots, 40, np.int32)
        tokens[0, 0], lengths[0] = rows[-1].argmax(), 20 + step
        rows.append(model.extend(tokens, lengths)[0, 0])
    return np.stack(rows)


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
