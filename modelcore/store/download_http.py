"""Files from a web server: ranges, redirects, and which answers are worth a retry.

A token is sent to the server it is for, and not to another one that a redirect leads to. Ranges: RFC 9110,
sections 13.1.5 (If-Range) and 14.2.
"""

from __future__ import annotations

import email.utils
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO, Any
from urllib.parse import quote, urljoin, urlsplit

from modelcore.errors import MindrailError, StepFailed
from modelcore.store.download_file import Opened

__all__ = ["HttpSource", "ServerBusy", "answer_error"]

_TIMEOUT_S = 30.0


class ServerBusy(StepFailed):
    """The server asks to retry later: after `retry_after` seconds, or None if it does not say when."""

    def __init__(self, what: str, *, where: object, retry_after: float | None) -> None:
        super().__init__(what, where=where, fix="run again later: it resumes")
        self.retry_after = retry_after


@dataclass(frozen=True)
class HttpSource:
    """The files under a URL that ends in a slash."""

    base: str
    token: str | None = None

    def where(self, name: str) -> str:
        """Return the file's URL."""
        return urljoin(self.base, quote(name))

    def open(self, name: str, offset: int = 0, version: str = "") -> Opened | None:
        """Request a file, from `offset` on if it is still of `version`; see `Source.open`."""
        url = self.where(name)
        request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        if offset:
            request.add_header("Range", f"bytes={offset}-")
            request.add_header("If-Range", version)
        try:
            response: HTTPResponse = _OPENER.open(request, timeout=_TIMEOUT_S)
        except urllib.error.HTTPError as error:
            with error:
                return self._refused(error, name, offset)
        except (OSError, HTTPException) as error:
            raise StepFailed(
                f"no answer ({error})", where=url, fix="check the address and the network"
            ) from error
        return _opened(response, offset, url)

    def _refused(self, error: urllib.error.HTTPError, name: str, offset: int) -> Opened | None:
        if error.code == 404:
            return None
        if error.code == 416 and offset:
            # Nothing is left from that offset on, or the file has changed: get all of it, without a range.
            return self.open(name)
        raise answer_error(error.code, error.headers, self.where(name)) from error


def answer_error(status: int, headers: Any, where: str) -> MindrailError:
    """Return the error for an answer that is not the file: temporary (`StepFailed`) or permanent."""
    if status == 429 or status >= 500:
        return ServerBusy(
            f"the server answers {status}", where=where, retry_after=_seconds(headers.get("Retry-After"))
        )
    if status in (401, 403):
        return MindrailError(
            f"the server answers {status}: no access", where=where, fix="give a token that has access"
        )
    fix = "check the address" if status == 404 else ""
    return MindrailError(f"the server answers {status}", where=where, fix=fix)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to web addresses only; the library's own handler would follow to ftp, too."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme not in ("http", "https") or (old.scheme, new.scheme) == ("https", "http"):
            raise MindrailError(f"redirects to {newurl!r}, which is not followed", where=req.full_url)
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and old.netloc == new.netloc and req.has_header("Authorization"):
            request.add_unredirected_header("Authorization", str(req.get_header("Authorization")))
        return request


_OPENER = urllib.request.build_opener(_Redirects)


def _opened(response: HTTPResponse, offset: int, url: str) -> Opened:
    headers = response.headers
    if headers.get("Content-Encoding", "identity") != "identity":
        raise MindrailError("the server compresses the file, against Accept-Encoding: identity", where=url)
    etag = headers.get("ETag", "")
    version = headers.get("Last-Modified", "") if not etag or etag.startswith("W/") else etag
    if response.status == 206:
        start, size = _content_range(headers.get("Content-Range", ""), url)
        if start != offset:
            raise MindrailError(f"requested from byte {offset}, the server sends from {start}", where=url)
        return Opened(response, start, size, version)
    length = headers.get("Content-Length", "")
    return Opened(response, 0, int(length) if length.isdigit() else None, version)


def _content_range(value: str, url: str) -> tuple[int, int | None]:
    """Return (first byte, size of the file) of `bytes first-last/size`."""
    first, _, rest = value.removeprefix("bytes ").partition("-")
    size = rest.partition("/")[2]
    if not first.isdigit():
        raise MindrailError(f"Content-Range {value!r} is not understood", where=url)
    return int(first), int(size) if size.isdigit() else None


def _seconds(retry_after: str | None) -> float | None:
    """Return Retry-After, a number or a date, as seconds from now."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
