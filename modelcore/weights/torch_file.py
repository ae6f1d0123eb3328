"""PyTorch's `.bin` and `.pth` checkpoints, without PyTorch: nothing in the file is run, no weight is copied.

Format (torch.save since 1.6, pytorch/docs/source/notes/serialization.rst): an uncompressed zip archive with
one folder: `data.pkl`, the pickled dictionary, and `data/<key>`, a storage's bytes. A tensor is the call
_rebuild_tensor_v2(storage, offset, size, stride, ...), counted in elements. Tensors that are not stored
row-major, and files older than 1.6, are refused.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any, NoReturn

from modelcore.boundary.zip_size import check_directory
from modelcore.errors import MindrailError
from modelcore.weights.checks import are_naturals, refuse
from modelcore.weights.dtypes import DType, by_torch
from modelcore.weights.safe_pickle import Call, Name, Persistent, UnsafePickle, parse
from modelcore.weights.tensors import Extent, StoredTensor

__all__ = ["read_torch"]

_REBUILD = "torch._utils._rebuild_tensor_v2"
_PARAMETER = "torch._utils._rebuild_parameter"
_ALLOWED = frozenset((_REBUILD, _PARAMETER, "collections.OrderedDict", *by_torch))
_LARGEST_PICKLE = 16 << 20
_LARGEST_DIRECTORY = 8 << 20  # of an archive; 50,000 tensors take 4 MB
_LOCAL_HEADER = 30


def read_torch(path: Path) -> dict[str, StoredTensor]:
    """Return the file's tensors, in the order of its dictionary; their contents are not read.

    Raises:
        MindrailError: the file is damaged, is not a plain dictionary of tensors, or would run code.
    """
    storages, pickle = _open(path)
    try:
        entries = parse(pickle, _ALLOWED)
    except UnsafePickle as error:
        raise MindrailError(
            f"refused: {error}", where=path, fix="get the weights as safetensors, or from a source you trust"
        ) from error
    if not isinstance(entries, dict):
        _refuse(path, f"holds a {type(entries).__name__}, not a dictionary of tensors")
    return {name: _tensor(path, name, value, storages) for name, value in entries.items()}


def _open(path: Path) -> tuple[dict[str, Extent], bytes]:
    """Return (storage key -> its bytes in the file, the pickle)."""
    check_directory(path, _LARGEST_DIRECTORY)
    try:
        if not zipfile.is_zipfile(path):
            _refuse(path, "not a PyTorch zip archive: truncated, or written by torch before 1.6")
        with zipfile.ZipFile(path) as archive:
            entries = _entries(path, archive)
            pickle = entries.get("data.pkl")
            if pickle is None or pickle.file_size > _LARGEST_PICKLE:
                _refuse(path, "has no data.pkl of a sensible size")
            order = entries.get("byteorder")
            if order is not None and (order.file_size > len(b"little") or archive.read(order) != b"little"):
                _refuse(path, "was written on a big-endian machine")
            storages = {
                name.removeprefix("data/"): _extent(path, entry)
                for name, entry in entries.items()
                if name.startswith("data/")
            }
            return storages, archive.read(pickle)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise MindrailError(f"damaged zip archive ({error})", where=path, fix="get the file again") from error


def _entries(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the archive's entries by their path below its one folder."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.filename.partition("/")[2]
        if name in entries:
            _refuse(path, f"{entry.filename} is in the archive twice")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            _refuse(path, f"{entry.filename} is compressed or encrypted; torch.save does neither")
        entries[name] = entry
    return entries


def _extent(path: Path, entry: zipfile.ZipInfo) -> Extent:
    """Return where the entry's bytes are: behind its local header, whose length only that header has."""
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\3\4"):
        _refuse(path, f"no entry where the archive says {entry.filename} is")
    name, extra = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
    start = entry.header_offset + _LOCAL_HEADER + name + extra
    if start + entry.file_size > path.stat().st_size:
        _refuse(path, f"truncated: {entry.filename} reaches beyond the file's end")
    return Extent(path, start, entry.file_size)


def _tensor(path: Path, name: Any, value: Any, storages: dict[str, Extent]) -> StoredTensor:
    place = f"{path}: {name}"
    if isinstance(value, Call) and value.name == _PARAMETER and value.arguments:
        value = value.arguments[0]
    if not isinstance(name, str) or not isinstance(value, Call) or value.name != _REBUILD:
        _refuse(place, f"is a {type(value).__name__}, not a tensor")
    if len(value.arguments) < 4:
        _refuse(place, "its description is not one of a tensor")
    storage, offset, shape, stride = value.arguments[:4]
    dtype, extent = _storage(place, storage, storages)
    if not all(are_naturals(numbers, tuple) for numbers in ((offset,), shape, stride)):
        _refuse(place, "its offset, shape or stride are not whole numbers")
    if not _row_major(shape, stride):
        _refuse(
            place, f"is not stored row-major (shape {shape}, stride {stride}): save it with .contiguous()"
        )
    start, length = offset * dtype.size, math.prod(shape) * dtype.size
    if start + length > extent.length:
        _refuse(place, f"takes bytes {start} to {start + length} of a storage of {extent.length}")
    return StoredTensor(name, dtype, shape, (Extent(path, extent.offset + start, length),))


def _storage(place: str, value: Any, storages: dict[str, Extent]) -> tuple[DType, Extent]:
    identity = value.identity if isinstance(value, Persistent) else None
    if not isinstance(identity, tuple) or len(identity) != 5 or identity[0] != "storage":
        _refuse(place, "its storage is not described as torch.save does")
    _, kind, key, _, count = identity
    dtype = by_torch.get(kind.path) if isinstance(kind, Name) else None
    if dtype is None or not isinstance(key, str) or key not in storages:
        _refuse(place, "its storage is not in the file")
    if not are_naturals((count,), tuple) or count * dtype.size != storages[key].length:
        _refuse(place, f"its storage has {storages[key].length} bytes, not what the pickle says")
    return dtype, storages[key]


def _row_major(shape: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Whether the strides are those of a row-major tensor; axes of length 1 may have any."""
    expected = 1
    for length, step in zip(reversed(shape), reversed(stride), strict=False):
        if length != 1 and step != expected:
            return False
        expected *= length
    return len(shape) == len(stride)


def _refuse(where: object, what: str) -> NoReturn:
    refuse(where, what, fix="get the file again or convert it to safetensors")
