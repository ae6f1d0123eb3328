"""The Prefect server that PREFECT_API_URL names: whether it answers, and what to do if it does not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from modelcore.errors import MindrailError, StepFailed

__all__ = ["check_configured_server", "one_line_outages"]

_CONNECT, _ANSWER = 10.0, 60.0  # seconds; a busy server accepts at once and answers late
_WAY_OUT = "start it, or unset PREFECT_API_URL to run without one"
_PASSWORD = "set PREFECT_API_AUTH_STRING to the server's user:password"


def check_configured_server() -> None:
    """Ask the server for its version.

    Raises:
        StepFailed: it does not answer.
        MindrailError: it refuses the password, wants one, or is no Prefect server.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES as RETRIES

    address = PREFECT_API_URL.value() or ""
    try:
        with temporary_settings({RETRIES: 0}):
            client = get_client(
                httpx_settings={"timeout": httpx.Timeout(_ANSWER, connect=_CONNECT)}, sync_client=True
            )
            client.request("GET", "/admin/version")
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status in (401, 403):
            given = (
                "refuses PREFECT_API_AUTH_STRING" if PREFECT_API_AUTH_STRING.value() else "wants a password"
            )
            raise MindrailError(f"the Prefect server {given}", where=address, fix=_PASSWORD) from None
        what = f"no Prefect server: it answered with status {status}"
        raise MindrailError(what, where=address, fix="PREFECT_API_URL ends with /api") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise StepFailed(
            f"no answer from the Prefect server ({reason})", where=address, fix=_WAY_OUT
        ) from None


@contextlib.contextmanager
def one_line_outages() -> Iterator[None]:
    """Turn the traceback of a server that has gone for good into one line."""
    import httpx

    try:
        yield
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise StepFailed(
            f"the Prefect server could not be reached any more ({reason})",
            fix="run the same command again: what is done is in the store",
        ) from error
