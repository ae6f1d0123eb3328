"""Downloads a model: configuration, tokenizer and weights, from a hub, a web server or a directory.

Fetched are config.json (or Meta's params.json); generation_config.json and the tokenizer's files where there
are any; the weights as safetensors, or else PyTorch's, or else Meta's. The web address or path of one file
fetches that file alone. Retrying is left to the caller: a call for the same destination keeps what is
complete and resumes what is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from modelcore.errors import MindrailError
from modelcore.progress import Progress, silent
from modelcore.store.checkpoint_index import index_shards, index_size, is_plain_name, parse_sums
from modelcore.store.disk import check_room
from modelcore.store.download_file import DirectorySource, Source, fetch_file, read_block
from modelcore.store.download_http import HttpSource
from modelcore.store.hub import HubSource, cached_snapshot, hub_repository
from modelcore.store.model_files import COMPANIONS, HF_WEIGHTS, INDEX_SUFFIX, WEIGHT_SUFFIXES

__all__ = ["download", "download_config", "is_file_address"]

SUMS = "SHA256SUMS"
_LARGEST_SUMS = 1 << 20  # bytes

_OPTIONAL = tuple(name for name in COMPANIONS if name != "config.json")
_META = "consolidated.{:02d}.pth"
# An address that ends in one of these is one file, not a directory of files.
_FILE_SUFFIXES = (*WEIGHT_SUFFIXES, ".json", ".model", ".txt", ".jinja")
_META_PARAMS = "params.json"


def download(
    source: str,
    destination: Path,
    *,
    sha256: Mapping[str, str] | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    revision: str | None = None,
    offline: bool = False,
    check: Callable[[Path], object] = lambda directory: None,
    weights: bool = True,
    progress: Progress = silent,
) -> list[Path]:
    """Fetch the model at `source` into the directory `destination`.

    Args:
        source: `hf://owner/name[@revision]`, `http(s)://…/` or `file:///…`; of a directory, or of one file.
        destination: new, empty, or that of an interrupted call.
        sha256: file name -> sum to check, besides those of the hub or of a SHA256SUMS file at the source.
        token: for the hub or the web server.
        endpoint: of a hub's mirror.
        revision: of the hub's repository; one in `source` takes precedence.
        offline: take the hub's files from the Hugging Face cache and contact no server.
        check: called with `destination` when configuration and tokenizer are there, before the weights; what
            it raises ends the download.
        weights: whether to fetch the weights, or only configuration and tokenizer.
        progress: bytes; the total grows as sizes become known.

    Returns:
        The files, in the order fetched.

    Raises:
        StepFailed: temporary: no answer, cut off, too many requests (`retry_after` seconds), no room.
        MindrailError: permanent: not there, no access, a wrong sum, a damaged index.
    """
    opened, file = _source(source, token=token, endpoint=endpoint, revision=revision, offline=offline)
    destination.mkdir(parents=True, exist_ok=True)
    fetcher = _Fetcher(opened, destination, _sums(opened, sha256 or {}), _Meter(progress))
    return list(fetcher.model(check, weights)) if file is None else [fetcher.need(file)]


def download_config(
    source: str,
    destination: Path,
    *,
    token: str | None = None,
    endpoint: str | None = None,
    revision: str | None = None,
) -> Path:
    """Fetch config.json alone, a few kB with the model's sizes; arguments and errors as for `download`."""
    opened, _ = _source(source, token=token, endpoint=endpoint, revision=revision, offline=False)
    destination.mkdir(parents=True, exist_ok=True)
    return _Fetcher(opened, destination, {}, _Meter(silent)).need("config.json")


def is_file_address(source: str) -> bool:
    """Whether a web address or a local one is that of one file."""
    parts = _split(source)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).is_file()
    return parts.scheme in ("http", "https") and parts.path.endswith(_FILE_SUFFIXES)


class _Meter:
    """Adds up bytes over files."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0
        self._sizes: dict[str, int] = {}

    def received(self, name: str, count: int, size: int | None) -> None:
        self._done += count
        self._sizes[name] = size or 0
        self._progress(self._done, float(max(self._done, sum(self._sizes.values()))), "bytes", name)


@dataclass(frozen=True)
class _Fetcher:
    """Fetches a model's files, choosing the next by what it has found so far."""

    source: Source
    directory: Path
    sums: Mapping[str, str]
    meter: _Meter

    def model(self, check: Callable[[Path], object], weights: bool) -> Iterator[Path]:
        yield from self._config()
        for name in _OPTIONAL:
            if path := self._fetch(name):
                yield path
        meta_needs_weights = weights and not (self.directory / "config.json").exists()
        if not meta_needs_weights:
            check(self.directory)
        if not weights:
            return
        yield from self._weights()
        if meta_needs_weights:
            check(self.directory)

    def _config(self) -> Iterator[Path]:
        config = self._fetch("config.json")
        if config is not None:
            yield config
        params = self._fetch(_META_PARAMS)
        if params is not None:
            yield params
        elif config is None:
            self.need("config.json")

    def _weights(self) -> Iterator[Path]:
        for name in HF_WEIGHTS:
            if index := self._fetch(name + INDEX_SUFFIX):
                yield index
                yield from self._shards(index)
                return
            if path := self._fetch(name):
                yield path
                return
        yield from self._meta()

    def _shards(self, index: Path) -> Iterator[Path]:
        shards = index_shards(index)
        self._check_room(shards, index_size(index))
        for shard in shards:
            yield self.need(shard)

    def _meta(self) -> Iterator[Path]:
        part = 0
        while path := self._fetch(_META.format(part)):
            yield path
            part += 1
        if not part:
            raise MindrailError(
                f"no weights there: no {HF_WEIGHTS[0]}, no {HF_WEIGHTS[1]}, no index of them",
                where=self.source.where(""),
                fix="check the address",
            )

    def need(self, name: str) -> Path:
        """Fetch a file that must be there."""
        path = self._fetch(name)
        if path is None:
            raise MindrailError("not found", where=self.source.where(name), fix="check the address")
        return path

    def _fetch(self, name: str) -> Path | None:
        path = fetch_file(
            self.source,
            name,
            self.directory,
            sha256=self.sums.get(name),
            received=lambda count, size: self.meter.received(name, count, size),
        )
        if path is None and name in self.sums:
            raise MindrailError("has a sha256 but is not there", where=self.source.where(name))
        return path

    def _check_room(self, shards: Mapping[str, list[str]], size: int) -> None:
        """Refuse to start what cannot fit; each file is checked again with its exact size."""
        present = [self.directory / f"{shard}{suffix}" for shard in shards for suffix in ("", ".partial")]
        missing = size - sum(path.stat().st_size for path in present if path.exists())
        check_room(self.directory, missing)


def _source(
    source: str, *, token: str | None, endpoint: str | None, revision: str | None, offline: bool
) -> tuple[Source, str | None]:
    """Return where the files are, and the name of the one that `source` is, if it is one file."""
    parts = _split(source)
    if parts.scheme == "file":
        path = Path(unquote(parts.path))
        if path.is_file():
            return DirectorySource(path.parent), path.name
        return DirectorySource(_directory(path, source)), None
    if parts.scheme in ("http", "https") and parts.netloc:
        if offline:
            raise MindrailError("offline, but this is a web address", where=source)
        base, _, name = source.rpartition("/")
        if name.endswith(_FILE_SUFFIXES):
            return HttpSource(base + "/", token), _plain_name(unquote(name), source)
        return HttpSource(source if source.endswith("/") else source + "/", token), None
    if parts.scheme == "hf":
        name, _, pinned = source.removeprefix("hf://").partition("@")
        if offline:
            return DirectorySource(cached_snapshot(name, revision=pinned or revision)), None
        return hub_repository(name, revision=pinned or revision, token=token, endpoint=endpoint), None
    raise MindrailError(
        "not a source", where=source, fix="give hf://owner/name, https://…/ or file:///directory"
    )


def _split(source: str) -> SplitResult:
    try:
        return urlsplit(source)
    except ValueError as error:
        raise MindrailError(f"not an address ({error})", where=source) from error


def _directory(path: Path, source: str) -> Path:
    if not path.is_dir():
        raise MindrailError("no such file or directory", where=source)
    return path


def _plain_name(name: str, source: str) -> str:
    if not is_plain_name(name):
        raise MindrailError("not the address of a file", where=source)
    return name


def _sums(source: Source, expected: Mapping[str, str]) -> dict[str, str]:
    """Return name -> sha256: the caller's sums and those that the source publishes; they must agree."""
    published = dict(source.sha256) if isinstance(source, HubSource) else _published_sums(source)
    for name, digest in expected.items():
        if published.setdefault(name, digest.lower()) != digest.lower():
            raise MindrailError(
                f"its sha256 should be {digest}, but the source publishes {published[name]}",
                where=source.where(name),
            )
    if bad := next((name for name in expected if not is_plain_name(name)), None):
        raise MindrailError("not a file's name", where=f"sha256: {bad}")
    return published


def _published_sums(source: Source) -> dict[str, str]:
    opened = source.open(SUMS)
    if opened is None:
        return {}
    try:
        text = b""
        while block := read_block(opened.stream, source.where(SUMS)):
            text += block
            if len(text) > _LARGEST_SUMS:
                raise MindrailError(f"more than {_LARGEST_SUMS} bytes", where=source.where(SUMS))
    finally:
        opened.stream.close()
    return parse_sums(text.decode(errors="replace"), source.where(SUMS))
