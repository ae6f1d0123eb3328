"""The demo at a reduced size, run once for every test that looks at it: nothing in it is faked."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from flows.server import prefect_server
from tests.flows.reduced_demo import Demo, run_demo


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Prefect server for the whole session, so that each command does not start its own."""
    before = dict(os.environ)
    with prefect_server(tmp_path_factory.mktemp("prefect")) as wait_until_up:
        wait_until_up()
        del os.environ["MINDRAIL_TEMPORARY_SERVER"]
        yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, server: None) -> Demo:
    """The reduced demo, run from nothing."""
    return run_demo(tmp_path_factory.mktemp("demo") / "store")
