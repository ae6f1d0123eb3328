"""One rank's part of a checkpoint on disk: a `.ckpt` and beside it a `state.json` with its digest.

`rank_<r>/checkpoint_<r>.ckpt` is what MindSpore reads. `state.json` comes last and says which bytes belong
there; a part without it, or whose bytes differ, is not there at all. Both appear by renaming.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelcore.checkpoints.shards import rank_file
from modelcore.errors import MindrailError
from modelcore.store.durable import rename_durably, replace_contents
from modelcore.store.manifest import file_sha256
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.dtypes import of_array
from modelcore.weights.file_layout import TensorSpec

__all__ = [
    "read_part",
    "vouch",
    "write_part",
    "write_tensors",
]


def write_part(directory: Path, rank: int, tensors: Mapping[str, NDArray], state: Mapping[str, Any]) -> None:
    """Write a rank's part of a checkpoint.

    Args:
        directory: of the checkpoint; made if missing.
        rank: whose part.
        tensors: what to keep, by name.
        state: JSON values to keep beside it.
    """
    sha256 = write_tensors(rank_file(directory, rank), tensors)
    vouch(directory, rank, sha256, state)


def vouch(directory: Path, rank: int, sha256: str, state: Mapping[str, Any]) -> None:
    """Write the state of a rank's part, which says that its tensors are there and have this sha256."""
    file = rank_file(directory, rank)
    vouched = {**state, "file": file.name, "size": file.stat().st_size, "sha256": sha256}
    replace_contents(file.with_name("state.json"), (json.dumps(vouched, indent=1) + "\n").encode())


def read_part(directory: Path, rank: int) -> dict[str, Any]:
    """Return the state of a rank's part after checking its tensors' bytes.

    Raises:
        MindrailError: the part is missing or damaged.
    """
    file = rank_file(directory, rank)
    try:
        state = json.loads(file.with_name("state.json").read_text())
        size, expected = state["size"], state["sha256"]
        found = file.stat().st_size
    except FileNotFoundError as error:
        raise MindrailError("is missing", where=error.filename) from error
    except (ValueError, KeyError, TypeError) as error:
        raise MindrailError(f"is damaged: {error}", where=file.with_name("state.json")) from error
    if found != size:
        raise MindrailError(f"has {found} bytes, {size} were written", where=file)
    if file_sha256(file) != expected:
        raise MindrailError("is damaged: its sha256 is not the one written", where=file)
    return dict(state)


def write_tensors(file: Path, tensors: Mapping[str, NDArray]) -> str:
    """Write a `.ckpt` that appears whole or not at all; return the sha256 of its bytes."""
    layout = ckpt_layout([TensorSpec(name, of_array(x), x.shape) for name, x in tensors.items()])
    pieces: list[tuple[int, Any]] = list(layout.headers)
    for name, places in layout.places.items():
        content = np.ascontiguousarray(tensors[name]).reshape(-1).view(np.uint8)
        start = 0
        for place in places:
            pieces.append((place.offset, content[start : start + place.length]))
            start += place.length
    sha = hashlib.sha256()
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(file.name + ".new")
    with scratch.open("wb") as stream:
        for _, piece in sorted(pieces, key=lambda one: one[0]):
            sha.update(piece)
            stream.write(piece)
        stream.flush()
        os.fsync(stream.fileno())
    rename_durably(scratch, file)
    return sha.hexdigest()
