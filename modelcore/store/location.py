"""Where a store is: a directory, or a bucket with a directory on this machine for what is in use.

The directory of a bucket's store holds `remote.json` with the bucket's address: whoever opens it by its path
works with the bucket, too.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.store.disk import make_directory
from modelcore.store.durable import replace_contents
from modelcore.store.json_file import read_json_object
from modelcore.store.remote import Remote, is_remote

__all__ = ["CACHE", "remote_of", "store_directory"]

CACHE = "MINDRAIL_STORE_CACHE"
"""Environment variable: the directory with those of buckets; ~/.cache/mindrail/stores otherwise."""

_REMOTE = "remote.json"
_ADDRESS = "address"


def store_directory(store: str) -> Path:
    """Return the directory of a store; that of a bucket is made.

    Args:
        store: a path, or `s3://bucket/prefix`.

    Raises:
        MindrailError: it is no address of a bucket, s3fs is missing, or the directory cannot be made.
    """
    if not is_remote(store):
        return Path(store)
    address = Remote(store).address
    directory = _cache() / hashlib.sha256(address.encode()).hexdigest()[:16]
    if not (directory / _REMOTE).exists():
        make_directory(directory, fix=f"set {CACHE} to another directory")
        text = json.dumps({_ADDRESS: address}) + "\n"
        replace_contents(directory / _REMOTE, text.encode(), scratch_suffix=f".{os.getpid()}")
    return directory


def remote_of(directory: Path) -> Remote | None:
    """Return the bucket of a store's directory; None if it has none.

    Raises:
        MindrailError: what its file says is no address.
    """
    path = directory / _REMOTE
    if not path.exists():
        return None
    address = read_json_object(path).get(_ADDRESS)
    if not isinstance(address, str):
        raise MindrailError("has no address", where=path, fix="remove the file")
    return Remote(address)


def _cache() -> Path:
    named = os.environ.get(CACHE)
    if named:
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mindrail" / "stores"
