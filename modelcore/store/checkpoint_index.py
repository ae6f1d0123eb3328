"""Reads the index of a sharded checkpoint and SHA256SUMS files; refuses names outside their directory."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from modelcore.errors import MindrailError
from modelcore.store.json_file import LARGEST_INDEX, read_json_object

__all__ = ["index_shards", "index_size", "is_plain_name", "parse_sums"]

LONGEST_NAME = 255
"""Bytes that a file system takes."""

_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def index_shards(index: Path) -> dict[str, list[str]]:
    """Return what each shard of a Hugging Face index holds: file name -> tensor names, in the index's order.

    Raises:
        MindrailError: it is not such an index, or names a file outside its directory.
    """
    weight_map = read_json_object(index, LARGEST_INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise MindrailError("has no weight_map", where=index, fix="get it again")
    shards: dict[str, list[str]] = {}
    for name, shard in weight_map.items():
        if not isinstance(shard, str) or not is_plain_name(shard):
            raise MindrailError(
                f"weight_map: {name} is in {shard!r}, no file's name or outside the index's directory",
                where=index,
            )
        shards.setdefault(shard, []).append(name)
    return shards


def index_size(index: Path) -> int:
    """Return the bytes of all tensors by the index's total_size; 0 if it has none."""
    metadata = read_json_object(index, LARGEST_INDEX).get("metadata")
    size = metadata.get("total_size") if isinstance(metadata, dict) else None
    return int(size) if isinstance(size, int | float) and 0 < size < 1 << 53 else 0


def parse_sums(text: str, where: object) -> dict[str, str]:
    """Return file name -> sha256 of what `sha256sum` wrote.

    Raises:
        MindrailError: a line is not `<sha256>  <name>`.
    """
    sums = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _SUM.fullmatch(line)
        if match is None:
            raise MindrailError(f"not a line of sha256sum: {line[:80]!r}", where=where)
        sums[match[2].removeprefix("./")] = match[1].lower()
    return sums


def is_plain_name(name: str) -> bool:
    """Whether this is only a file's name: no directory, no drive, no parent directory."""
    return (
        name not in ("", ".", "..")
        and len(name.encode("utf-8", "surrogatepass")) <= LONGEST_NAME
        and name == PurePosixPath(name).name
        and not set(name) & set("\\:\0")
    )
