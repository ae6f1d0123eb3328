from __future__ import annotations

import mindspore
import numpy as np
import pytest
from mindspore import Parameter, Tensor

from modelcore.training.optimizer import AdamW, corrected, decays

RATE, BETA1, BETA2, EPSILON, DECAY = 0.01, 0.9, 0.95, 1e-8, 0.1


def scalar(value: float) -> Tensor:
    return Tensor(value, mindspore.float32)


def test_ten_steps_are_those_of_torch():
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(0)
    start = {"matrix": draw.standard_normal((5, 3)), "norm.weight": draw.standard_normal(7)}
    start = {name: value.astype(np.float32) for name, value in start.items()}
    ours = [Parameter(Tensor(value), name=name) for name, value in start.items()]
    theirs = [torch.nn.Parameter(torch.tensor(value)) for value in start.values()]
    groups = [{"params": theirs[:1], "weight_decay": DECAY}, {"params": theirs[1:], "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, lr=RATE, betas=(BETA1, BETA2), eps=EPSILON)
    step = AdamW(ours, BETA1, BETA2)
    for number in range(10):
        gradients = [draw.standard_normal(value.shape).astype(np.float32) for value in start.values()]
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = torch.tensor(gradient) * 0.5
        reference.step()
        fused = corrected(number, RATE, BETA1, BETA2, EPSILON, DECAY)
        scalars = (scalar(x) for x in (0.5, fused.rate, fused.epsilon, fused.decay))
        step(*scalars, *(Tensor(gradient) for gradient in gradients))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.asnumpy(), other.detach().numpy(), rtol=2e-6, atol=1e-7)


def test_states_are_named_after_their_parameter():
    parameter = Parameter(Tensor(np.zeros(2, np.float32)), name="model.norm_out.weight")
    step = AdamW([parameter], BETA1, BETA2)
    assert list(step.states()) == ["adam_m.model.norm_out.weight", "adam_v.model.norm_out.weight"]
    assert parameter.name == "model.norm_out.weight"


def test_only_matrices_decay():
    assert decays("model.layers.0.attention.wq.weight", (4, 4))
    assert not decays("model.norm_out.weight", (4,))
