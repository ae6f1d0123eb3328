"""Loads weights: gives a network's parameters the tensors of a checkpoint, by name."""

from __future__ import annotations

from collections.abc import Mapping

from mindspore import Parameter, Tensor

from modelcore.errors import MindrailError
from modelcore.weights.casting import cast
from modelcore.weights.dtypes import BF16, FP16, FP32
from modelcore.weights.tensors import LazyTensor, read

__all__ = ["fill"]


def fill(parameters: Mapping[str, Parameter], tensors: Mapping[str, LazyTensor], where: object) -> None:
    """Give every parameter the tensor of its name, read one at a time and cast to float32.

    Args:
        parameters: float32, by the name their tensor has.
        tensors: fp16, bf16 or fp32.
        where: the checkpoint, for errors.

    Raises:
        MindrailError: a tensor is missing, of another shape or type, or belongs to no parameter; nothing is
            changed then. Or the file is damaged.
    """
    for name in (*parameters, *tensors):
        if name not in tensors:
            raise MindrailError(f"has no tensor {name}, which the network has", where=where)
        if name not in parameters:
            raise MindrailError(f"holds {name}, which the network does not have", where=where)
        shape, expected = list(tensors[name].shape), list(parameters[name].shape)
        if shape != expected:
            raise MindrailError(f"{name} is {shape}, the network's {expected}", where=where)
        if tensors[name].dtype not in (FP16, BF16, FP32):
            raise MindrailError(f"{name} is {tensors[name].dtype}, not fp16, bf16 or fp32", where=where)
    for name, parameter in parameters.items():
        parameter.set_data(Tensor(read(cast(tensors[name], FP32))))
