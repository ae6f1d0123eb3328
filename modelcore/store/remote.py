"""Objects in a bucket: S3, or a service with its interface (OBS, MinIO). Bytes under names, nothing more.

Each object is written whole or not at all; what it means is for `remote_store` and `remote_lock`. Endpoint
and credentials are those of the AWS tools: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or a
profile.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError, StepFailed
from modelcore.store.disk import disk_errors

__all__ = ["Remote", "is_remote"]

_SCHEME = "s3://"
_BLOCK = 8 << 20  # bytes held in memory of a file that is copied


def is_remote(address: str) -> bool:
    """Whether this is the address of a bucket and not a directory."""
    return address.startswith(_SCHEME)


class Remote:
    """The objects whose names begin with a prefix.

    Args:
        address: `s3://bucket/prefix`.

    Raises:
        MindrailError: it is no such address, or s3fs is not installed.
    """

    def __init__(self, address: str) -> None:
        self._prefix = address.removeprefix(_SCHEME).rstrip("/")
        self.address = f"{_SCHEME}{self._prefix}"
        if not is_remote(address) or not all(self._prefix.split("/")):
            raise MindrailError(
                "not the address of a bucket", where=f"store {address}", fix="s3://bucket/prefix"
            )
        if find_spec("s3fs") is None:
            raise MindrailError(
                "s3fs is not installed", where=f"store {address}", fix="pip install 'mindrail[s3]'"
            )
        self._files = _file_system(os.getpid(), os.environ.get("AWS_ENDPOINT_URL"))

    def read(self, name: str) -> bytes | None:
        """Return the contents of an object, None if there is none."""
        try:
            with self._errors(name):
                return bytes(self._files.cat_file(self._at(name)))
        except FileNotFoundError:
            return None

    def read_all(self, names: list[str]) -> dict[str, bytes]:
        """Return the contents of those objects that exist."""
        paths = {self._at(name): name for name in names}
        with self._errors():
            found = self._files.cat(list(paths), on_error="omit") if paths else {}
        return {paths[path]: bytes(contents) for path, contents in found.items()}

    def version(self, name: str) -> str | None:
        """Return what changes with each write of an object (its ETag), None if there is none."""
        try:
            with self._errors(name):
                return str(self._files.info(self._at(name))["ETag"])
        except FileNotFoundError:
            return None

    def write(self, name: str, contents: bytes) -> None:
        """Write an object, replacing what was there."""
        with self._errors(name):
            self._files.pipe_file(self._at(name), contents)

    def write_if(self, name: str, contents: bytes, version: str | None) -> str | None:
        """Write an object unless another process has written it meanwhile.

        Args:
            name: of the object.
            contents: all of it.
            version: the object that is replaced; None: there is none.

        Returns:
            The new version; None if the object is not the one it should have been.
        """
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        bucket, _, key = self._at(name).partition("/")
        try:
            with self._errors(name):
                answer = self._files.call_s3("put_object", Bucket=bucket, Key=key, Body=contents, **condition)
        except (FileExistsError, FileNotFoundError):  # written, or removed, since
            return None
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EBUSY) or not _is_of_condition(error):
                raise
            return None
        return str(answer["ETag"])

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        with self._errors(name):
            if self._files.exists(self._at(name)):
                self._files.rm_file(self._at(name))

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Return the bytes of every object whose name begins with this directory's, by name."""
        try:
            with self._errors(prefix):
                found = self._files.find(self._at(prefix), detail=True)
        except FileNotFoundError:
            return {}
        return {path.removeprefix(f"{self._prefix}/"): int(info["size"]) for path, info in found.items()}

    def directories(self, prefix: str = "") -> list[str]:
        """Return what the names directly below a directory begin with, where they go on below it."""
        try:
            with self._errors(prefix):
                found = self._files.ls(self._at(prefix) if prefix else self._prefix, detail=True)
        except FileNotFoundError:
            return []
        return sorted(one["name"].rsplit("/", 1)[-1] for one in found if one["type"] == "directory")

    def upload(self, path: Path, name: str) -> None:
        """Copy a file to an object; large ones in parts, of which nothing is seen until all are there."""
        with self._errors(name):
            self._files.put_file(str(path), self._at(name))

    def download(self, name: str, path: Path) -> str:
        """Copy an object to a file; return the sha256 of the bytes.

        Raises:
            FileNotFoundError: there is no such object.
        """
        digest = hashlib.sha256()
        with (
            self._errors(name),
            disk_errors(path),
            self._files.open(self._at(name), "rb", block_size=_BLOCK, cache_type="readahead") as source,
            path.open("wb") as file,
        ):
            while block := source.read(_BLOCK):
                digest.update(block)
                file.write(block)
        return digest.hexdigest()

    def sha256(self, name: str) -> str | None:
        """Read an object and return its digest, None if there is none."""
        digest = hashlib.sha256()
        try:
            with self._errors(name), self._files.open(self._at(name), "rb", block_size=_BLOCK) as source:
                while block := source.read(_BLOCK):
                    digest.update(block)
        except FileNotFoundError:
            return None
        return digest.hexdigest()

    def _at(self, name: str) -> str:
        return f"{self._prefix}/{name}"

    @contextmanager
    def _errors(self, name: str = "") -> Iterator[None]:
        """Raise what the service refuses as MindrailError, and what may work later as StepFailed."""
        from botocore.exceptions import BotoCoreError, NoCredentialsError

        where = f"{self.address}/{name}" if name else self.address
        try:
            yield
        except NoCredentialsError as error:
            raise MindrailError(
                "no credentials", where=where, fix="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from error
        except PermissionError as error:
            raise MindrailError(
                f"not allowed ({error})", where=where, fix="check the credentials and the bucket's policy"
            ) from error
        except FileNotFoundError as error:
            if "bucket does not exist" in str(error):
                fix = "make the bucket, or correct the address"
                raise MindrailError("there is no such bucket", where=where, fix=fix) from error
            raise
        except (BotoCoreError, ConnectionError, TimeoutError) as error:
            raise StepFailed(f"no answer ({error})", where=where, fix="run again: it resumes") from error


@lru_cache(maxsize=4)
def _file_system(process: int, endpoint: str | None) -> Any:
    """Return the connection of this process to a service; a new one takes half a second."""
    import s3fs

    # No listing is remembered: other hosts write there, too.
    return s3fs.S3FileSystem(
        endpoint_url=endpoint,
        use_listings_cache=False,
        skip_instance_cache=True,
        default_fill_cache=False,
    )


def _is_of_condition(error: OSError) -> bool:
    said = f"{error} {error.__cause__}"
    return "PreconditionFailed" in said or "ConditionalRequestConflict" in said
