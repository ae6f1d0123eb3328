"""A bucket on a real S3 server (moto's) on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest

__all__ = ["serve_bucket"]


@contextmanager
def serve_bucket(address: str = "127.0.0.1") -> Iterator[str]:
    """Serve an empty bucket, and point the AWS tools at it; yield its address."""
    pytest.importorskip("s3fs", reason="s3fs is not installed (pip install mindrail[s3])")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(address, port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with mock.patch.dict(os.environ, environment(f"http://{host}:{port}")):
            import s3fs

            s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
            yield "s3://bucket/some/store"
    finally:
        server.stop()


def environment(endpoint: str) -> dict[str, str]:
    """Return what the AWS tools need to know of a server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
