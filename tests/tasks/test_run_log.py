"""What Prefect's loggers print on a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest
from prefect.logging.handlers import PrefectConsoleHandler

from tasks.run_log import adapt_loggers


@pytest.fixture
def handler() -> Iterator[PrefectConsoleHandler]:
    handler = PrefectConsoleHandler()
    logging.getLogger("prefect").addHandler(handler)
    yield handler
    logging.getLogger("prefect").removeHandler(handler)


def test_a_terminal_shows_no_traceback_and_other_handlers_have_it(handler: PrefectConsoleHandler) -> None:
    adapt_loggers()
    adapt_loggers()
    try:
        raise KeyError("a bug")
    except KeyError:
        record = logging.makeLogRecord({"msg": "a step failed", "exc_info": sys.exc_info()})
    assert handler.format(record) == "a step failed"
    assert "Traceback" in logging.Formatter().format(record)
