"""Loads weights: gives a network's parameters the tensors of a checkpoint, by name."""

from __future__ import annotations

from collections.abc import Mapping

import mindspore
from mindspore import Parameter, Tensor
from mindspore.common import np_dtype

from modelcore.errors import MindrailError
from modelcore.weights.casting import cast
from modelcore.weights.dtypes import BF16, FP16, FP32, DType
from modelcore.weights.tensors import LazyTensor, read

__all__ = ["fill"]

_TYPES = {mindspore.float32: FP32, mindspore.float16: FP16, mindspore.bfloat16: BF16}


def fill(parameters: Mapping[str, Parameter], tensors: Mapping[str, LazyTensor], where: object) -> None:
    """Give every parameter the tensor of its name, read one at a time and cast to the parameter's type.

    Args:
        parameters: float32, float16 or bfloat16, by the name their tensor has.
        tensors: fp16, bf16 or fp32.
        where: the checkpoint, for errors.

    Raises:
        MindrailError: a tensor is missing, of another shape or type, or belongs to no parameter; nothing is
            changed then. Or a value is too large for the parameter's type, or the file is damaged.
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
        parameter.set_data(_tensor(tensors[name], _TYPES[parameter.dtype], f"{where}: {name}"))


def _tensor(tensor: LazyTensor, dtype: DType, where: str) -> Tensor:
    array = read(cast(tensor, dtype, where))
    return Tensor(array.view(np_dtype.bfloat16) if dtype == BF16 else array)
