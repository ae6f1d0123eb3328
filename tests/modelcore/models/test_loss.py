"""The fused head and cross-entropy on one rank: torch's numbers, and finite without any probability."""

from __future__ import annotations

import mindspore
import numpy as np
import pytest
import torch
from mindspore import Tensor

from modelcore.models.loss import IGNORED, SMALLEST, LinearCrossEntropy
from modelcore.parallel.collectives import WHOLE

ROWS, WIDTH, VOCABULARY = 24, 16, 96


def loss_and_gradients(
    hidden: np.ndarray, weight: np.ndarray, labels: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    cell = LinearCrossEntropy(VOCABULARY, WHOLE)

    def summed(hidden: Tensor, weight: Tensor) -> Tensor:
        return cell(hidden, weight, Tensor(labels))[0]

    loss, slopes = mindspore.value_and_grad(summed, (0, 1))(Tensor(hidden), Tensor(weight))
    return float(loss.asnumpy()), *(slope.asnumpy() for slope in slopes)


def test_loss_and_gradients_are_torchs_and_ignored_rows_count_for_nothing():
    draw = np.random.default_rng(0)
    hidden = draw.standard_normal((ROWS, WIDTH)).astype(np.float32)
    weight = draw.standard_normal((VOCABULARY, WIDTH)).astype(np.float32)
    labels = draw.integers(0, VOCABULARY, ROWS).astype(np.int32)
    labels[::5] = IGNORED
    loss, of_hidden, of_weight = loss_and_gradients(hidden, weight, labels)
    taken = [torch.from_numpy(x).requires_grad_() for x in (hidden, weight)]
    logits = taken[0] @ taken[1].T
    expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels).long(), reduction="sum")
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-6)
    np.testing.assert_allclose(of_hidden, taken[0].grad.numpy(), atol=2e-6)
    np.testing.assert_allclose(of_weight, taken[1].grad.numpy(), atol=2e-6)


def test_a_label_without_any_probability_costs_what_the_smallest_does_and_still_teaches():
    hidden, weight = np.zeros((1, WIDTH), np.float32), np.zeros((VOCABULARY, WIDTH), np.float32)
    hidden[0, 0], weight[3, 0] = 1000, 1  # the third's logit is 1000, all others' are 0
    loss, of_hidden, of_weight = loss_and_gradients(hidden, weight, np.array([5], np.int32))
    assert loss == pytest.approx(-np.log(SMALLEST), rel=1e-6)
    assert of_hidden[0, 0] == 1
    assert (of_weight[3, 0], of_weight[5, 0]) == (1000, -1000)
