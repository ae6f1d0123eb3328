"""A model repository on the Hugging Face hub, or a mirror of it, through `huggingface_hub`.

The library lists a revision's files with their sizes, sha256 and addresses; the bytes are fetched by
`download_http`, as from any server. Offline, the library's own cache is the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError, StepFailed
from modelcore.store.download_file import Opened
from modelcore.store.download_http import HttpSource, answer_error

__all__ = ["HubSource", "cached_snapshot", "hub_repository"]

_COMMIT = re.compile("[0-9a-f]{40}")


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
    try:
        info = _model_info(name, revision, token, endpoint, where)
        if not _COMMIT.fullmatch(info.sha):
            raise ValueError("no commit")
        siblings = {file.rfilename: file for file in info.siblings or ()}
        sha256 = {name: str(file.lfs.sha256) for name, file in siblings.items() if file.lfs is not None}
        sizes = {name: int(file.size or 0) for name, file in siblings.items()}
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise MindrailError(
            f"the hub's answer is not the description of a model ({type(error).__name__}: {error})",
            where=where,
            fix="check the endpoint",
        ) from error
    url = huggingface_hub.hf_hub_url(name, "x", revision=info.sha, endpoint=endpoint)
    return HubSource(base=url.removesuffix("x"), token=token, sha256=sha256, sizes=sizes)


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


def _model_info(name: str, revision: str | None, token: str | None, endpoint: str | None, where: str) -> Any:
    import httpx
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    api = huggingface_hub.HfApi(endpoint=endpoint, token=token or False)
    try:
        return api.model_info(name, revision=revision, files_metadata=True, timeout=30)
    except HFValidationError as error:
        raise MindrailError("not owner/name", where=where) from error
    except OfflineModeIsEnabled as error:
        raise MindrailError(
            "HF_HUB_OFFLINE is set", where=where, fix="unset it or set offline: true"
        ) from error
    except HfHubHTTPError as error:
        response = error.response
        raise answer_error(response.status_code, response.headers, where) from error
    except (httpx.HTTPError, OSError) as error:
        raise StepFailed(
            f"the hub does not answer ({error})", where=where, fix="check the network"
        ) from error
