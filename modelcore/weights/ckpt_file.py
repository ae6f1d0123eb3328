"""MindSpore's `.ckpt` format, without MindSpore: read through a memory mapping, laid out as MindSpore does.

Format (mindspore/train/serialization.py, checkpoint.proto): a protobuf message
    Checkpoint { repeated Value value = 1 }
    Value { string tag = 1; TensorProto tensor = 2; MapTensorProto maptensor = 3 }
    TensorProto { repeated int64 dims = 1; string tensor_type = 2; bytes tensor_content = 3 }
A tensor of more than 512 MiB is several Values in a row with the same tag, each with the whole tensor's dims
and the next 512 MiB of it. A scalar has no dims (older files: [0]). `crc_check=True` appends "crc_num" and
the crc32 in 10 bytes, which are ignored. Strings are left out; map tensors are refused.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.weights.checks import MOST_DIMENSIONS, MOST_TENSORS, refuse
from modelcore.weights.dtypes import by_mindspore
from modelcore.weights.file_layout import FileLayout, Place, TensorSpec
from modelcore.weights.protobuf import BYTES, Damaged, fields, length_prefix, varint
from modelcore.weights.tensors import Extent, StoredTensor

__all__ = ["SLICE", "ckpt_layout", "read_ckpt"]

# Bytes of a tensor in one Value.
SLICE = 512 << 20
_CRC = b"crc_num"
_CRC_TRAILER = len(_CRC) + 10


@dataclass(frozen=True)
class _Value:
    tag: str
    kind: str
    dims: tuple[int, ...]
    content: Extent


def read_ckpt(path: Path) -> dict[str, StoredTensor]:
    """Return the file's tensors in file order; their contents are not read. Strings are left out.

    Raises:
        MindrailError: the file is damaged or truncated, or has a tensor twice.
    """
    tensors: dict[str, StoredTensor] = {}
    for tag, run in groupby(_scan(path), key=lambda value: value.tag):
        values = list(run)
        if values[0].kind == "str":
            continue
        if tag in tensors:
            refuse(f"{path}: {tag}", "the tensor is in the file twice")
        tensors[tag] = _tensor(path, tag, values)
    return tensors


def ckpt_layout(specs: Sequence[TensorSpec]) -> FileLayout:
    """Lay out a file byte for byte as `mindspore.save_checkpoint` writes these tensors in this order.

    Raises:
        MindrailError: a tensor has no elements: MindSpore writes nothing for it.
    """
    headers: list[tuple[int, bytes]] = []
    places: dict[str, tuple[Place, ...]] = {}
    at = 0
    for spec in specs:
        if not spec.nbytes:
            raise MindrailError("a tensor without elements cannot be in a .ckpt", where=spec.name)
        runs = []
        for start in range(0, spec.nbytes, SLICE):
            length = min(SLICE, spec.nbytes - start)
            header = _value_header(spec, length)
            headers.append((at, header))
            runs.append(Place(at + len(header), length))
            at += len(header) + length
        places[spec.name] = tuple(runs)
    return FileLayout(at, tuple(headers), tuple(specs), places)


def _value_header(spec: TensorSpec, length: int) -> bytes:
    """Return the bytes that precede `length` bytes of the tensor's content."""
    dims = b"".join(b"\x08" + varint(dim) for dim in spec.shape)
    kind = spec.dtype.mindspore.encode()
    tensor = dims + length_prefix(2, len(kind)) + kind + length_prefix(3, length)
    tag = spec.name.encode()
    value = length_prefix(1, len(tag)) + tag + length_prefix(2, len(tensor) + length)
    return length_prefix(1, len(value) + len(tensor) + length) + value + tensor


def _tensor(path: Path, tag: str, values: Sequence[_Value]) -> StoredTensor:
    place = f"{path}: {tag}"
    first = values[0]
    dtype = by_mindspore.get(first.kind)
    if dtype is None:
        refuse(place, f"type {first.kind!r} is not known here")
    if any(value.kind != first.kind or value.dims != first.dims for value in values):
        refuse(place, "its slices differ in type or shape")
    if any(value.content.length % dtype.size for value in values):
        refuse(place, f"a slice does not end at the end of a {dtype} element")
    shape = () if first.dims == (0,) else first.dims
    expected = math.prod(shape) * dtype.size
    found = sum(value.content.length for value in values)
    if found > expected and len(values) > 1:
        refuse(place, f"{found} bytes, where {dtype} of shape {shape} takes {expected}: is it there twice?")
    if found != expected:
        refuse(place, f"{found} bytes, where {dtype} of shape {shape} takes {expected}")
    return StoredTensor(tag, dtype, shape, tuple(value.content for value in values))


def _scan(path: Path) -> Iterator[_Value]:
    """Yield the file's Values; only the pages with their headers are read."""
    size = path.stat().st_size
    if not size:
        refuse(path, "the file is empty")
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        crc = size >= _CRC_TRAILER and view[size - _CRC_TRAILER : size - 10] == _CRC
        yield from _values(path, view, size - _CRC_TRAILER if crc else size)


def _values(path: Path, view: memoryview, stop: int) -> Iterator[_Value]:
    tag = "its beginning"
    try:
        for number, field in enumerate(fields(view, 0, stop)):
            if number == MOST_TENSORS:
                refuse(path, f"more than {MOST_TENSORS} tensors and slices")
            if field.number != 1 or field.wire != BYTES:
                raise Damaged(f"field {field.number} at byte {field.start} is not a checkpoint's")
            value = _value(path, view, field.start, field.stop)
            tag = value.tag
            yield value
    except Damaged as error:
        raise MindrailError(
            f"damaged or truncated after {tag}: {error}", where=path, fix="get the file again"
        ) from error


def _value(path: Path, view: memoryview, start: int, stop: int) -> _Value:
    tag, tensor = "", None
    for field in fields(view, start, stop):
        if field.number == 1 and field.wire == BYTES and not tag:
            tag = _text(view, field.start, field.stop)
        elif field.number == 2 and field.wire == BYTES and tensor is None:
            tensor = _tensor_proto(path, view, field.start, field.stop)
        else:
            raise Damaged(f"field {field.number} of {tag or 'a value'} is not one of a plain tensor")
    if not tag or tensor is None:
        raise Damaged(f"the value at byte {start} has no name or no tensor")
    return replace(tensor, tag=tag)


def _tensor_proto(path: Path, view: memoryview, start: int, stop: int) -> _Value:
    dims: list[int] = []
    kind, content = "", None
    for field in fields(view, start, stop):
        if field.number == 1 and field.wire != BYTES and len(dims) < MOST_DIMENSIONS:
            dims.append(field.value)
        elif field.number == 2 and field.wire == BYTES and not kind:
            kind = _text(view, field.start, field.stop)
        elif field.number == 3 and field.wire == BYTES and content is None:
            content = Extent(path, field.start, field.stop - field.start)
        else:
            raise Damaged(f"field {field.number} at byte {field.start} is not a tensor's")
    if content is None or not kind:
        raise Damaged(f"the tensor at byte {start} has no type or no content")
    return _Value("", kind, tuple(dims), content)


def _text(view: memoryview, start: int, stop: int) -> str:
    if stop - start > 4096:
        raise Damaged(f"a name of {stop - start} bytes at byte {start}")
    try:
        return bytes(view[start:stop]).decode()
    except UnicodeDecodeError as error:
        raise Damaged(f"a name that is not UTF-8 at byte {start}") from error
