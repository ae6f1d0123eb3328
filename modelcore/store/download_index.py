"""What a sharded checkpoint's index and a SHA256SUMS file say, and refusing those that lie about where."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from modelcore.errors import MindrailError

__all__ = ["index_shards", "index_size", "is_plain_name", "parse_sums"]

_SUM = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def index_shards(index: Path) -> dict[str, list[str]]:
    """Return what each shard of a Hugging Face index holds: file name -> tensor names, in the index's order.

    Raises:
        MindrailError: the index is not one, or names a file outside its directory.
    """
    weight_map = _index(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise MindrailError("has no weight_map", where=index, fix="get it again")
    shards: dict[str, list[str]] = {}
    for name, shard in weight_map.items():
        if not isinstance(shard, str) or not is_plain_name(shard):
            raise MindrailError(
                f"{name} is said to be in {shard!r}, outside the index's directory", where=index
            )
        shards.setdefault(shard, []).append(name)
    return shards


def index_size(index: Path) -> int:
    """Return the bytes of all tensors as the index gives them; 0 where it does not."""
    metadata = _index(index).get("metadata")
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
    """Whether this is a file's name and nothing else: no directory, no drive, nothing to climb."""
    return name not in ("", ".", "..") and name == PurePosixPath(name).name and not set(name) & set("\\:\0")


def _index(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise MindrailError(f"not a JSON index ({error})", where=path, fix="get it again") from error
    if not isinstance(raw, dict):
        raise MindrailError("not a JSON object", where=path, fix="get it again")
    return raw
