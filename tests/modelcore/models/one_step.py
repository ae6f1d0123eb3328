"""One rank's loss and gradients of the cases that are named, from weights every rank makes alone.

`one_step.py DIRECTORY CASE…`, run by a gang, writes `<case>_<rank>.npz`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
from mindspore import Tensor

from modelcore.models.families import model_from_config
from modelcore.models.loss import NextTokenLoss
from modelcore.models.model import Model
from modelcore.models.network import NetworkPart
from modelcore.parallel.box import Box
from modelcore.parallel.collectives import WHOLE, TensorGroup
from modelcore.parallel.mesh import Layout
from tests.families import NAMES, small

CASES: dict[str, tuple[dict[str, Any], bool]] = {
    **{name: (small(name, vocab=50), False) for name in NAMES},
    "llama, tied, vocab_emb_dp": (small("llama", vocab=50, tied=True), True),
    "qwen2, untied": (small("qwen2", vocab=50, tied=False), False),
    "gpt_bigcode, 51 rows do not divide": (small("gpt_bigcode", vocab=51), False),
}
"""config.json and vocab_emb_dp."""

Result = dict[str, np.ndarray]


def weights(model: Model) -> Result:
    random = np.random.default_rng(3)
    shapes = model.config.parameter_shapes()
    return {name: (random.standard_normal(shape) * 0.2).astype(np.float32) for name, shape in shapes.items()}


def boxes(model: Model, size: int, rank: int, vocab_emb_dp: bool) -> dict[str, Box]:
    return model.partition(Layout(model_parallel=size), vocab_emb_dp=vocab_emb_dp).boxes(rank)


def cut(tensor: np.ndarray, box: Box) -> np.ndarray:
    return np.ascontiguousarray(tensor[tuple(slice(start, stop) for start, stop in box)])


def batch() -> tuple[np.ndarray, np.ndarray]:
    ids = np.random.default_rng(4).integers(0, 50, (3, 10)).astype(np.int32)
    labels = np.roll(ids, -1, 1)
    labels[0, :4] = -100
    return ids, labels


def step(case: str, tensor: TensorGroup = WHOLE) -> Result:
    """Return the loss and every gradient of this rank's slice of the case's model."""
    raw, vocab_emb_dp = CASES[case]
    model = model_from_config(raw, case)
    part = NetworkPart(tensor=tensor, vocab_emb_dp=vocab_emb_dp)
    loss = NextTokenLoss(model.family.network(model.config, part))
    whole, mine = weights(model), boxes(model, tensor.size, tensor.index, vocab_emb_dp)
    parameters = mindspore.ParameterTuple(loss.trainable_params())
    for parameter in parameters:
        parameter.set_data(Tensor(cut(whole[parameter.name], mine[parameter.name])))
    backward = mindspore.value_and_grad(loss, None, parameters, has_aux=True)
    ids, labels = batch()
    (total, _), gradients = backward(Tensor(ids), Tensor(labels))
    result = {"loss": total.asnumpy()}
    return result | {p.name: gradient.asnumpy() for p, gradient in zip(parameters, gradients, strict=True)}


if __name__ == "__main__":
    from mindspore.communication import GlobalComm, init

    init()
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    rank = int(os.environ["RANK_ID"])
    group = TensorGroup(GlobalComm.WORLD_COMM_GROUP, 2, rank)
    for case in sys.argv[2:]:
        np.savez(Path(sys.argv[1]) / f"{case}_{rank}.npz", **step(case, group))
