"""The element types of model weights, and their names in each file format.

bfloat16 has no numpy type: its arrays are uint16 with the upper half of the float32's bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BF16",
    "DTYPES",
    "FP16",
    "FP32",
    "DType",
    "by_mindspore",
    "by_safetensors",
    "by_torch",
    "dtype_named",
    "of_array",
]


@dataclass(frozen=True)
class DType:
    """One element type.

    Attributes:
        name: in mindrail (command line, conversion.json).
        safetensors, mindspore: the type's name in that format.
        torch: the name of its storage class in a PyTorch file.
        array: the numpy type that holds its bits.
        exponent: mask of the exponent's bits; 0 for types that are not floating point.
    """

    name: str
    safetensors: str
    mindspore: str
    torch: str
    array: np.dtype
    exponent: int = 0

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return self.array.itemsize

    def __str__(self) -> str:
        return self.name


FP16 = DType("fp16", "F16", "Float16", "HalfStorage", np.dtype("<f2"), 0x7C00)
BF16 = DType("bf16", "BF16", "BFloat16", "BFloat16Storage", np.dtype("<u2"), 0x7F80)
FP32 = DType("fp32", "F32", "Float32", "FloatStorage", np.dtype("<f4"), 0x7F800000)

DTYPES: tuple[DType, ...] = (
    FP16,
    BF16,
    FP32,
    DType("fp64", "F64", "Float64", "DoubleStorage", np.dtype("<f8"), 0x7FF0000000000000),
    DType("int8", "I8", "Int8", "CharStorage", np.dtype("i1")),
    DType("int16", "I16", "Int16", "ShortStorage", np.dtype("<i2")),
    DType("int32", "I32", "Int32", "IntStorage", np.dtype("<i4")),
    DType("int64", "I64", "Int64", "LongStorage", np.dtype("<i8")),
    DType("uint8", "U8", "UInt8", "ByteStorage", np.dtype("u1")),
    DType("uint16", "U16", "UInt16", "UInt16Storage", np.dtype("<u2")),
    DType("uint32", "U32", "UInt32", "UInt32Storage", np.dtype("<u4")),
    DType("uint64", "U64", "UInt64", "UInt64Storage", np.dtype("<u8")),
    DType("bool", "BOOL", "Bool", "BoolStorage", np.dtype("?")),
)

by_safetensors: dict[str, DType] = {dtype.safetensors: dtype for dtype in DTYPES}
by_mindspore: dict[str, DType] = {dtype.mindspore: dtype for dtype in DTYPES}
by_torch: dict[str, DType] = {f"torch.{dtype.torch}": dtype for dtype in DTYPES}
_BY_NAME: dict[str, DType] = {dtype.name: dtype for dtype in DTYPES}
_BY_ARRAY: dict[np.dtype, DType] = {dtype.array: dtype for dtype in DTYPES if dtype is not BF16}


def dtype_named(name: str) -> DType | None:
    """Return the type of mindrail's name (fp16, bf16, fp32); None for `keep`.

    Raises:
        KeyError: there is no such type.
    """
    return None if name == "keep" else _BY_NAME[name]


def of_array(array: NDArray) -> DType:
    """Return the type of a numpy array's elements (uint16 is uint16, never bfloat16).

    Raises:
        KeyError: the array holds something that is not in `DTYPES`.
    """
    return _BY_ARRAY[array.dtype.newbyteorder("<")]
