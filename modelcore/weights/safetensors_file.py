"""The safetensors format: headers read and checked, files laid out as its own library does.

Format (huggingface/safetensors, README "Format"): 8 bytes little-endian header size N, N bytes of JSON
{name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {str: str}}, then the tensors' bytes
without gaps; offsets count from the end of the header.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from modelcore.boundary.json_text import BadJson, parse_json
from modelcore.errors import MindrailError
from modelcore.weights.checks import MOST_TENSORS, are_naturals, refuse
from modelcore.weights.dtypes import by_safetensors
from modelcore.weights.file_layout import FileLayout, Place, TensorSpec
from modelcore.weights.tensors import Extent, StoredTensor

__all__ = ["read_safetensors", "safetensors_layout"]

# Of 50,000 tensors it has 8 MB. The library's own limit is 100 MB.
_LARGEST_HEADER = 16 << 20
_METADATA = "__metadata__"
_LONGEST_NAME = 1000
# The order in which the library writes the types.
_ORDER = ("U64", "I64", "F64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16", "I8", "U8", "BOOL")


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """Return the file's tensors, in the order of their bytes; only the header is read.

    Raises:
        MindrailError: the file is not exactly what the format describes; the line names the tensor.
    """
    header, start, end = _read_header(path)
    tensors = [_tensor(path, name, entry, start) for name, entry in header.items() if name != _METADATA]
    tensors.sort(key=lambda tensor: (tensor.extents[0].offset, tensor.extents[0].length))
    _check_cover(path, tensors, start, end)
    return {tensor.name: tensor for tensor in tensors}


def safetensors_layout(specs: Sequence[TensorSpec], metadata: Mapping[str, str]) -> FileLayout:
    """Lay out a file byte for byte as the safetensors library writes it.

    Tensors are sorted by type (largest elements first: alignment), then by name; the header is padded
    with spaces to 8 bytes.
    """
    ordered = sorted(specs, key=lambda spec: (_ORDER.index(spec.dtype.safetensors), spec.name))
    entries: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    at = 0
    for spec in ordered:
        entries[spec.name] = {
            "dtype": spec.dtype.safetensors,
            "shape": list(spec.shape),
            "data_offsets": [at, at + spec.nbytes],
        }
        at += spec.nbytes
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    start = 8 + len(text)
    places = {
        spec.name: (Place(start + entries[spec.name]["data_offsets"][0], spec.nbytes),) for spec in ordered
    }
    return FileLayout(start + at, ((0, len(text).to_bytes(8, "little") + text),), tuple(ordered), places)


def _read_header(path: Path) -> tuple[dict[str, Any], int, int]:
    """Return (header, offset of the first tensor byte, file size)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            refuse(path, f"truncated: {size} bytes cannot hold a header of {length} bytes")
        if length > _LARGEST_HEADER:
            refuse(path, f"a header of {length} bytes; at most {_LARGEST_HEADER} are read")
        text = file.read(length)
    if (count := text.count(b'"data_offsets"')) > MOST_TENSORS:
        refuse(path, f"{count} tensors; at most {MOST_TENSORS} are read")
    try:
        header = parse_json(text, pairs=lambda pairs: _unique(path, pairs))
    except BadJson as error:
        raise MindrailError(
            f"the header is not JSON ({error})", where=path, fix="get the file again"
        ) from error
    if not isinstance(header, dict):
        refuse(path, "the header is not a JSON object")
    return header, 8 + length, size


def _unique(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        refuse(path, f"{twice[:_LONGEST_NAME]} is in the header twice")
    return entries


def _tensor(path: Path, name: str, entry: Any, start: int) -> StoredTensor:
    place = f"{path}: {name[:_LONGEST_NAME]}"
    if len(name) > _LONGEST_NAME:
        refuse(place, f"a name of {len(name)} characters")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        refuse(place, "its header entry is not {dtype, shape, data_offsets}")
    dtype = by_safetensors.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        refuse(place, f"dtype {reprlib.repr(entry['dtype'])} is not known here")
    shape, offsets = entry["shape"], entry["data_offsets"]
    numbers = are_naturals(shape, list) and are_naturals(offsets, list)
    if not numbers or len(offsets) != 2 or offsets[0] > offsets[1]:
        shape, offsets = reprlib.repr(shape), reprlib.repr(offsets)
        refuse(place, f"shape {shape} or data_offsets {offsets} are not whole numbers in order")
    expected = math.prod(shape) * dtype.size
    if offsets[1] - offsets[0] != expected:
        refuse(place, f"{offsets[1] - offsets[0]} bytes, where {dtype} of shape {shape} takes {expected}")
    return StoredTensor(name, dtype, tuple(shape), (Extent(path, start + offsets[0], expected),))


def _check_cover(path: Path, tensors: Sequence[StoredTensor], start: int, end: int) -> None:
    """Refuse overlaps, holes, and tensors that reach beyond the file or stop short of its end."""
    spans = [(t.name, t.extents[0].offset, t.extents[0].offset + t.extents[0].length) for t in tensors]
    for (name, _, stop), (following, begin, _) in pairwise([("the header", 0, start), *spans]):
        if begin < stop:
            refuse(f"{path}: {following}", f"its bytes overlap those of {name}")
        if begin > stop:
            refuse(f"{path}: {following}", f"{begin - stop} bytes before it belong to no tensor")
    last, _, stop = ("the header", 0, start) if not spans else spans[-1]
    if stop > end:
        cut = next(name for name, _, reach in spans if reach > end)
        refuse(f"{path}: {cut}", f"truncated: the tensors take {stop} bytes, the file has {end}")
    if stop < end:
        refuse(path, f"{end - stop} bytes after {last} belong to no tensor")
