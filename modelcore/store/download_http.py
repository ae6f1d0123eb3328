"""Files from a web server: ranges, redirects, and which answers are worth a retry.

A token is sent to the server it is for, and not to another one that a redirect leads to. Ranges: RFC 9110,
sections 13.1.5 (If-Range) and 14.2.
"""

from __future__ import annotations

import email.utils
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO, Any
from urllib.parse import quote, urljoin, urlsplit

from modelcore.errors import MindrailError, StepFailed
from modelcore.store.download_file import Opened
from modelcore.store.paced import PacedHandler, PacedHttpsHandler

__all__ = ["HttpSource", "ServerBusy", "answer_error"]

_TIMEOUT_S = 30.0
_NUMBER = re.compile("[0-9]{1,19}")
_RANGE = re.compile("bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\\*)")


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
        try:
            return self._open(url, name, offset, version)
        except (UnicodeError, ValueError, OverflowError) as error:  # a host or port that is none
            raise MindrailError(f"leads to an address that is none ({error})", where=url) from error

    def _open(self, url: str, name: str, offset: int, version: str) -> Opened | None:
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
        try:
            opened = _opened(response, offset, url)
        except MindrailError:
            response.close()
            raise
        if opened.start and opened.version != version:
            response.close()
            return self.open(name)  # it sends a range of another version, against If-Range
        return opened

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
    """Follows redirects to web addresses only; the library's own handler would follow to ftp, too.

    A redirect's body is not read, however long it is.
    """

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> Any:
        fp.read = lambda *_: b""  # type: ignore[method-assign]  # the library would read it all
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

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


_OPENER = urllib.request.build_opener(PacedHandler, PacedHttpsHandler, _Redirects)


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
    length = headers.get("Content-Length")
    if length is not None and _NUMBER.fullmatch(length) is None:
        raise MindrailError(f"Content-Length {length!r} is not understood", where=url)
    return Opened(response, 0, None if length is None else int(length), version)


def _content_range(value: str, url: str) -> tuple[int, int | None]:
    """Return (first byte, size of the file) of `bytes first-last/size`."""
    match = _RANGE.fullmatch(value)
    if match is None:
        raise MindrailError(f"Content-Range {value!r} is not understood", where=url)
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _seconds(retry_after: str | None) -> float | None:
    """Return Retry-After, a number or a date, as seconds from now."""
    if not retry_after:
        return None
    if _NUMBER.fullmatch(retry_after.strip()):
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
