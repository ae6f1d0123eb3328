"""Fetches training data and benchmarks: published data sets by name, or anyone's file by its address.

A digest is pinned for the data sets whose published bytes are known; of the others it is computed and
returned, with the fact that nothing was compared. Archives are unpacked without trusting their names or
sizes.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from modelcore.boundary.zip_size import check_directory
from modelcore.errors import MindrailError
from modelcore.progress import Progress, silent
from modelcore.store.checkpoint_index import is_plain_name
from modelcore.store.disk import check_room, disk_errors
from modelcore.store.download_file import fetch_file
from modelcore.store.download_http import HttpSource
from modelcore.store.manifest import file_sha256

__all__ = ["DATA_SETS", "DataSet", "FetchedData", "data_set", "fetch_data"]

SUFFIXES = (".json", ".jsonl", ".gz", ".txt", ".tokens", ".zip")
"""Of the addresses that are taken for data."""

_PAGE = re.compile(r"https?://github\.com/([^/]+/[^/]+)/blob/(.+)")
"""The address of the page that shows a file, which the model cards link to."""

LARGEST_ARCHIVE = 4 << 30  # bytes, unpacked
_LARGEST_DIRECTORY = 1 << 20  # bytes of the archive's list of files
_BLOCK = 1 << 20


@dataclass(frozen=True)
class DataSet:
    """A file on the web.

    Attributes:
        address: where it is.
        sha256: of its bytes; "" if they are not known.
        what: it is, and its licence.
    """

    address: str
    sha256: str = ""
    what: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return unquote(PurePosixPath(urlsplit(self.address).path).name)


_CODE_ALPACA = "https://raw.githubusercontent.com/sahil280114/codealpaca/master/data"

DATA_SETS: Mapping[str, DataSet] = {
    "wikitext-2": DataSet(
        "https://s3.amazonaws.com/research.metamind.io/wikitext/wikitext-2-v1.zip",
        "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c",
        "texts to pretrain on: wiki.train.tokens, wiki.valid.tokens, wiki.test.tokens (CC BY-SA 3.0)",
    ),
    "code-alpaca-20k": DataSet(
        f"{_CODE_ALPACA}/code_alpaca_20k.json", what="instructions to fine-tune on (CC BY-NC 4.0)"
    ),
    "code-alpaca-2k": DataSet(
        f"{_CODE_ALPACA}/code_alpaca_2k.json",
        "9cb7352683bd2f530ce81eff7f8d58ccbe1a4bdf28afebbe9f80ec687256066d",
        "the first tenth of them (CC BY-NC 4.0)",
    ),
    "humaneval": DataSet(
        "https://raw.githubusercontent.com/openai/human-eval/master/data/HumanEval.jsonl.gz",
        "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef",
        "164 problems to evaluate with (MIT)",
    ),
    "mbpp": DataSet(
        "https://raw.githubusercontent.com/google-research/google-research/master/mbpp/mbpp.jsonl",
        "ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f",
        "974 problems to evaluate with (CC BY 4.0)",
    ),
}
"""The model cards' data sets by name."""


@dataclass(frozen=True)
class FetchedData:
    """What was fetched.

    Attributes:
        files: in the directory, by name, the first the one that was downloaded or those of its archive.
        sha256: of the downloaded file.
        checked: whether that digest was known before.
    """

    files: tuple[Path, ...]
    sha256: str
    checked: bool


def data_set(source: str) -> DataSet | None:
    """Return the data set of a name, or the one at a web address; None if the source is neither."""
    if source in DATA_SETS:
        return DATA_SETS[source]
    parts = urlsplit(source)
    if parts.scheme not in ("http", "https") or not parts.netloc or not parts.path.endswith(SUFFIXES):
        return None
    page = _PAGE.fullmatch(source)
    return DataSet(f"https://raw.githubusercontent.com/{page[1]}/{page[2]}" if page else source)


def fetch_data(
    data: DataSet,
    directory: Path,
    *,
    sha256: str | None = None,
    token: str | None = None,
    progress: Progress = silent,
) -> FetchedData:
    """Fetch a data set into a directory, and unpack it if it is a zip archive.

    Args:
        data: where it is.
        directory: new, empty, or that of an interrupted call, which is resumed.
        sha256: digest to check besides the pinned one.
        token: for the web server.
        progress: bytes.

    Raises:
        StepFailed: temporary: no answer, cut off, too many requests, no room.
        MindrailError: permanent: not there, another digest, an archive that is damaged, too large or hostile.
    """
    expected = _expected(data, sha256)
    base, _, _ = data.address.rpartition("/")
    if not is_plain_name(data.name) or urlsplit(data.address).query:
        raise MindrailError("not the plain address of a file", where=data.address, fix="leave out `?…`")
    directory.mkdir(parents=True, exist_ok=True)
    done = [0]

    def received(count: int, size: int | None) -> None:
        done[0] += count
        progress(done[0], float(size or done[0]), "bytes", data.name)

    path = fetch_file(
        HttpSource(f"{base}/", token), data.name, directory, sha256=expected or None, received=received
    )
    if path is None:
        raise MindrailError("not found", where=data.address, fix="check the address")
    found = expected or file_sha256(path)
    files = _unpack(path) if path.suffix == ".zip" else [path]
    return FetchedData(tuple(files), found, bool(expected))


def _expected(data: DataSet, sha256: str | None) -> str:
    given = (sha256 or "").lower()
    if given and data.sha256 and given != data.sha256:
        raise MindrailError(f"its sha256 should be {data.sha256}, not {given}", where=data.address)
    return data.sha256 or given


def _unpack(archive: Path) -> list[Path]:
    """Unpack the files of an archive beside it, by their last names alone, and remove it."""
    check_directory(archive, _LARGEST_DIRECTORY)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            targets = _targets(archive, members)
            check_room(archive.parent, min(sum(member.file_size for member in members), LARGEST_ARCHIVE))
            left = LARGEST_ARCHIVE
            for member, target in zip(members, targets, strict=True):
                left -= _extract(opened, member, target, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise MindrailError(f"not a sound zip archive ({error})", where=archive.name) from error
    archive.unlink()
    return targets


def _targets(archive: Path, members: list[zipfile.ZipInfo]) -> list[Path]:
    """Return where each file goes; refuse names that lead elsewhere, links, and two files of one name."""
    targets: dict[Path, str] = {}
    for member in members:
        parts = PurePosixPath(member.filename).parts
        link = stat.S_ISLNK(member.external_attr >> 16)
        if link or not all(map(is_plain_name, parts)) or parts[-1] == archive.name:
            raise MindrailError(
                f"holds {member.filename!r}, which is a link or leads out of the directory",
                where=archive.name,
                fix="do not use this archive",
            )
        target = archive.parent / parts[-1]
        if target in targets:
            raise MindrailError(f"holds {targets[target]} and {member.filename}", where=archive.name)
        targets[target] = member.filename
    if not targets:
        raise MindrailError("an archive without files", where=archive.name)
    return list(targets)


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Write one file, counting its bytes instead of believing its size; return them."""
    size = 0
    with disk_errors(target), opened.open(member) as source, target.open("wb") as file:
        while block := source.read(_BLOCK):
            size += len(block)
            if size > left:
                raise MindrailError(
                    f"unpacks to more than {LARGEST_ARCHIVE >> 30} GiB", where=member.filename
                )
            file.write(block)
    return size
