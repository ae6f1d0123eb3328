"""A row of several samples, separated by segments, trains as the samples would in rows of their own."""

from __future__ import annotations

import mindspore
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn

from modelcore.models.families import model_from_config
from modelcore.models.loss import IGNORED, NextTokenLoss
from modelcore.models.network import WHOLE_NETWORK, Transformer
from tests.families import NAMES

from . import one_step

LENGTHS = ((5, 4, 3), (7, 1, 2), (12,))
"""Of the samples of each row; what is missing is padding."""

Sums = dict[str, np.ndarray]


def build(name: str) -> tuple[Transformer, NextTokenLoss, list[Parameter]]:
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    model = model_from_config(one_step.CASES[name][0], name)
    network = model.family.network(model.config, WHOLE_NETWORK)
    loss, weights = NextTokenLoss(network), one_step.weights(model)
    for parameter in loss.trainable_params():
        parameter.set_data(Tensor(weights[parameter.name]))
    return network, loss, loss.trainable_params()


def sums(loss: nn.Cell, parameters: list[Parameter], *inputs: np.ndarray) -> Sums:
    """Return loss, number of tokens and gradients of some rows."""
    backward = mindspore.value_and_grad(loss, None, mindspore.ParameterTuple(parameters), has_aux=True)
    (total, tokens), gradients = backward(*map(Tensor, inputs))
    found = {"loss": total.asnumpy(), "tokens": tokens.asnumpy()}
    return found | {p.name: g.asnumpy() for p, g in zip(parameters, gradients, strict=True)}


def empty(rows: int, seq: int) -> list[np.ndarray]:
    return [np.full((rows, seq), fill, np.int32) for fill in (0, IGNORED, 0)]


def samples(seq: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return [ids, labels, segments] of random samples, each in a row of its own, and of them packed."""
    draw = np.random.default_rng(5)
    single, packed = empty(sum(map(len, LENGTHS)), seq), empty(len(LENGTHS), seq)
    sample = 0
    for row, lengths in enumerate(LENGTHS):
        begin = 0
        for number, length in enumerate(lengths, 1):
            ids = draw.integers(0, 50, length)
            values = (ids, [*ids[1:], IGNORED], number)
            for alone, together, value in zip(single, packed, values, strict=True):
                alone[sample, :length] = together[row, begin : begin + length] = value
            sample, begin = sample + 1, begin + length
    return single, packed


@pytest.mark.parametrize(
    ("name", "seq"),
    [("llama", 13)] + [pytest.param(name, seq, marks=pytest.mark.long) for name in NAMES for seq in (12, 13)],
)
def test_loss_and_gradients_are_the_sums_of_the_samples_alone(name: str, seq: int) -> None:
    _, loss, parameters = build(name)
    (ids, labels, _), packed = samples(seq)
    expected = sums(loss, parameters, ids, labels)
    found = sums(loss, parameters, *packed)
    assert found["tokens"] == expected["tokens"] == sum(sum(row) - len(row) for row in LENGTHS)
    assert float(found["loss"]) == pytest.approx(float(expected["loss"]), rel=1e-5)
    steepest = max(np.abs(expected[p.name]).max() for p in parameters)
    for parameter in parameters:
        difference = np.abs(found[parameter.name] - expected[parameter.name]).max()
        assert difference < 1e-5 * max(np.abs(expected[parameter.name]).max(), 1e-2 * steepest), (
            parameter.name
        )


@pytest.mark.parametrize(
    "name", ["llama", *(pytest.param(name, marks=pytest.mark.long) for name in NAMES[1:])]
)
def test_without_segments_samples_see_the_ones_before_them(name: str) -> None:
    network, _, _ = build(name)
    _, (ids, _, segments) = samples(12)
    apart, together = network(Tensor(ids), Tensor(segments)).asnumpy(), network(Tensor(ids)).asnumpy()
    first = segments[0] == 1
    np.testing.assert_allclose(apart[0, first], together[0, first], atol=1e-5)
    assert np.abs(apart[0, ~first] - together[0, ~first]).max() > 1e-2
