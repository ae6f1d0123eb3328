"""A model repository on the Hugging Face hub, or a mirror of it, through `huggingface_hub`.

The hub's API lists a revision's files with their sizes and sha256. All is fetched by `download_http`, within
its limits; addresses and tokens are the library's. Offline, the library's own cache is the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from modelcore.boundary.json_text import parse_json
from modelcore.errors import MindrailError
from modelcore.store.download_file import Opened, read_block
from modelcore.store.download_http import HttpSource, answer_error

__all__ = ["HubSource", "cached_snapshot", "described_files", "hub_repository"]

_COMMIT = re.compile("[0-9a-f]{40}")
_LARGEST_LISTING = 16 << 20
"""Bytes; a file of a repository takes 200."""

_MOST_BLOCKS = 100_000
"""Pieces in which it may arrive; a packet of a network has 1,400 bytes."""


@dataclass(frozen=True)
class HubSource:
    """The files of one revision.

    Attributes:
        base: URL to which a file's name is appended.
        token: sent to the hub.
        sha256: name -> sha256, for the files of which the hub has it.
        sizes: name -> bytes.
    """

    base: str
    token: str | None
    sha256: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def open(self, name: str, offset: int = 0, version: str = "") -> Opened | None:
        """Open a file; return None, without a request, if the revision does not have it."""
        return HttpSource(self.base, self.token).open(name, offset, version) if name in self.sizes else None

    def where(self, name: str) -> str:
        """Return the file's URL."""
        return HttpSource(self.base).where(name)


def hub_repository(
    name: str, *, revision: str | None = None, token: str | None = None, endpoint: str | None = None
) -> HubSource:
    """Return a repository's files, pinned to the commit that `revision` is now.

    Args:
        name: `owner/name`.
        revision: branch, tag or commit; the main branch by default.
        token: to read private or gated repositories; by default the library's own (HF_TOKEN, login).
        endpoint: of a mirror; by default the library's (HF_ENDPOINT, or huggingface.co).

    Raises:
        StepFailed: the hub does not answer at the moment.
        MindrailError: there is no such repository or revision, or no access to it.
    """
    import huggingface_hub

    token = token or huggingface_hub.get_token()
    where = f"hf://{name}" + (f"@{revision}" if revision else "")
    commit, sizes, sha256 = described_files(_description(name, revision, token, endpoint, where), where)
    url = huggingface_hub.hf_hub_url(name, "x", revision=commit, endpoint=endpoint)
    return HubSource(base=url.removesuffix("x"), token=token, sha256=sha256, sizes=sizes)


def described_files(description: bytes, where: str) -> tuple[str, dict[str, int], dict[str, str]]:
    """Return a revision's commit, the sizes of its files, and the sha256 of those of which the hub has it.

    Raises:
        MindrailError: these bytes are not the description of a model.
    """
    try:
        model = parse_json(description)
        commit = model["sha"]
        if not _COMMIT.fullmatch(commit):
            raise ValueError("no commit")
        files = {_text(file["rfilename"]): file for file in model["siblings"]}
        sizes = {name: _size(file.get("size")) for name, file in files.items()}
        sha256 = {name: _text(file["lfs"]["sha256"]) for name, file in files.items() if file.get("lfs")}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _no_description(where, f"{type(error).__name__}: {error}") from error
    return commit, sizes, sha256


def _no_description(where: str, problem: str) -> MindrailError:
    what = f"the hub's answer is not the description of a model ({problem})"
    return MindrailError(what, where=where, fix="check the endpoint")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _size(value: object) -> int:
    """Return a file's size; 0 if the hub does not say it."""
    if value is not None and type(value) is not int:
        raise TypeError(f"{value!r} is no size")
    return value or 0


def cached_snapshot(name: str, *, revision: str | None = None) -> Path:
    """Return the directory in the library's cache that holds a revision; contacts no server.

    Raises:
        MindrailError: it is not in the cache.
    """
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, IncompleteSnapshotError, LocalEntryNotFoundError

    where = f"hf://{name}" + (f"@{revision}" if revision else "")
    try:
        return Path(str(huggingface_hub.snapshot_download(name, revision=revision, local_files_only=True)))
    except (LocalEntryNotFoundError, IncompleteSnapshotError) as error:
        raise MindrailError(
            "is not in the Hugging Face cache, and offline is set",
            where=where,
            fix="download it once online",
        ) from error
    except HFValidationError as error:
        raise MindrailError("not owner/name", where=where) from error


def _description(
    name: str, revision: str | None, token: str | None, endpoint: str | None, where: str
) -> bytes:
    """Return the hub's description of a revision."""
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.errors import HFValidationError

    try:
        hf_hub_url(name, "x")
    except HFValidationError as error:
        raise MindrailError("not owner/name", where=where) from error
    if constants.HF_HUB_OFFLINE:
        raise MindrailError("HF_HUB_OFFLINE is set", where=where, fix="unset it or set offline: true")
    at = f"/revision/{quote(revision, safe='')}" if revision else ""
    url = f"{endpoint or constants.ENDPOINT}/api/models/{name}{at}?blobs=true"
    opened = HttpSource(url, token).open("")
    if opened is None:
        raise answer_error(404, {}, where)
    content = bytearray()
    try:
        for _ in range(_MOST_BLOCKS):
            block = read_block(opened.stream, url)
            content += block
            if len(content) > _LARGEST_LISTING:
                raise _no_description(where, f"more than {_LARGEST_LISTING >> 20} MiB")
            if not block:
                return bytes(content)
    finally:
        opened.stream.close()
    raise _no_description(where, f"it comes in more than {_MOST_BLOCKS} pieces")
