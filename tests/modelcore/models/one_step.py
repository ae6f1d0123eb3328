"""One rank's loss and gradients of some models, from weights every rank makes alone; run by a gang."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
from mindspore import Tensor

from modelcore.models.families import Family, model_config
from modelcore.models.gpt_bigcode import network as gpt_bigcode
from modelcore.models.llama import network as llama
from modelcore.parallel.box import Box
from modelcore.parallel.collectives import WHOLE, TensorGroup
from modelcore.parallel.mesh import Layout

LLAMA = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
}
GPT_BIGCODE = {"model_type": "gpt_bigcode", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32}
CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "llama": ({**LLAMA, "vocab_size": 50}, False),
    "llama, tied, vocab_emb_dp": ({**LLAMA, "vocab_size": 50, "tie_word_embeddings": True}, True),
    "gpt_bigcode": ({**GPT_BIGCODE, "vocab_size": 50}, False),
    "gpt_bigcode, 51 rows do not divide": ({**GPT_BIGCODE, "vocab_size": 51}, False),
}

Result = dict[str, np.ndarray]


def weights(family: Family) -> Result:
    random = np.random.default_rng(3)
    shapes = family.config.parameter_shapes()
    return {name: (random.standard_normal(shape) * 0.2).astype(np.float32) for name, shape in shapes.items()}


def boxes(family: Family, size: int, rank: int, vocab_emb_dp: bool) -> dict[str, Box]:
    return family.partition(Layout(model_parallel=size), vocab_emb_dp=vocab_emb_dp).boxes(rank)


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
    family = model_config(raw, case)
    build = {"llama": llama, "gpt_bigcode": gpt_bigcode}[family.name].build_loss
    loss = build(family.config, tensor, vocab_emb_dp=vocab_emb_dp)
    whole, mine = weights(family), boxes(family, tensor.size, tensor.index, vocab_emb_dp)
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
    for number, case in enumerate(CASES):
        np.savez(Path(sys.argv[1]) / f"{number}_{rank}.npz", **step(case, group))
