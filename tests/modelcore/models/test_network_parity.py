"""Our networks give transformers' logits, loss and gradients, on the same weights."""

from __future__ import annotations

from pathlib import Path

import mindspore
import numpy as np
import pytest
import torch
from mindspore import Tensor

from modelcore.models.families import read_model
from modelcore.models.loss import NextTokenLoss
from tests import families

from . import tiny


def some_ids(rows: int, length: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, tiny.VOCABULARY, (rows, length)).astype(np.int32)


@pytest.mark.parametrize("variant", tiny.VARIANTS)
def test_logits_are_those_of_transformers(variant: str, tmp_path: Path) -> None:
    theirs = tiny.model(tiny.VARIANTS[variant])
    ours = tiny.load(tiny.convert(theirs, tmp_path))
    ids = some_ids(3, 27)
    expected = theirs(torch.tensor(ids, dtype=torch.long)).logits.detach().numpy()
    np.testing.assert_allclose(ours(Tensor(ids)).asnumpy(), expected, atol=1e-4)


@pytest.mark.parametrize(
    "variant", [*families.NAMES, pytest.param("llama, linear scaling, tied", marks=pytest.mark.long)]
)
def test_loss_and_gradients_are_those_of_transformers(variant: str, tmp_path: Path) -> None:
    theirs = tiny.model(tiny.VARIANTS[variant])
    ours = tiny.load(tiny.convert(theirs, tmp_path))
    ids = some_ids(3, 26)
    labels = np.roll(ids, -1, 1)
    labels[0, :9] = labels[2] = -100

    logits = theirs(torch.tensor(ids, dtype=torch.long)).logits
    targets = torch.tensor(labels, dtype=torch.long)
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    expected.backward()

    loss = NextTokenLoss(ours)
    weights = mindspore.ParameterTuple(loss.trainable_params())
    (total, count), gradients = mindspore.value_and_grad(loss, None, weights, has_aux=True)(
        Tensor(ids), Tensor(labels)
    )
    assert float(total.asnumpy()) == pytest.approx(expected.item(), rel=1e-5)
    assert float(count.asnumpy()) == 26 + 17
    wanted = tiny.gradients(theirs, tmp_path / "gradients")
    largest = max(np.abs(gradient).max() for gradient in wanted.values())
    for parameter, gradient in zip(weights, gradients, strict=True):
        # The gradient of a key's bias is zero in exact arithmetic: softmax does not see it.
        tolerance = 1e-5 * np.abs(wanted[parameter.name]).max() + 1e-7 * largest
        difference = np.abs(gradient.asnumpy() - wanted[parameter.name]).max()
        assert difference < tolerance, parameter.name


@pytest.mark.parametrize("variant", tiny.VARIANTS)
def test_parameters_are_those_of_the_config_in_its_order(variant: str, tmp_path: Path) -> None:
    directory = tiny.convert(tiny.model(tiny.VARIANTS[variant]), tmp_path)
    trained = NextTokenLoss(tiny.load(directory)).trainable_params()
    found = {parameter.name: parameter.shape for parameter in trained}
    assert list(found.items()) == list(read_model(directory).config.parameter_shapes().items())
