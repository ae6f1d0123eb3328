"""Adapts Prefect's loggers to runs that nobody's terminal is attached to.

A worker reads what its runs print; when it is killed, the next line that a run prints would end the run. An
error that a user can mend is one line, not a traceback, and a terminal shows no traceback at all.
"""

from __future__ import annotations

import copy
import logging
from functools import partial

from prefect.logging.handlers import PrefectConsoleHandler

from modelcore.errors import MindrailError
from tasks.log import discard_output, warn

__all__ = ["adapt_loggers"]

_RUN_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


def adapt_loggers() -> None:
    """Let Prefect's console survive a broken pipe, shorten errors, pass modelcore's warnings on."""
    for name in ("", "prefect", *logging.root.manager.loggerDict):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, PrefectConsoleHandler):
                setattr(handler.console, "on_broken_pipe", discard_output)  # noqa: B010  it is a method
                setattr(handler, "format", partial(_without_traceback, handler))  # noqa: B010  the same
    for name in _RUN_LOGGERS:
        logging.getLogger(name).addFilter(_one_line_errors)  # a filter is added once
    modelcore = logging.getLogger("modelcore")
    if not any(isinstance(handler, _ToRunLog) for handler in modelcore.handlers):
        modelcore.addHandler(_ToRunLog(logging.WARNING))
        modelcore.propagate = False


def _one_line_errors(record: logging.LogRecord) -> bool:
    """Print a user's error as its line; the traceback of a bug stays."""
    if record.exc_info and isinstance(record.exc_info[1], MindrailError):
        record.msg, record.args = str(record.exc_info[1]), ()
        record.exc_info = record.exc_text = None
    return True


def _without_traceback(handler: PrefectConsoleHandler, record: logging.LogRecord) -> str:
    """Format a record for a terminal; a bug's traceback is in the server's log and the command's report."""
    short = copy.copy(record)
    short.exc_info = short.exc_text = None
    return PrefectConsoleHandler.format(handler, short)


class _ToRunLog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        warn(record.getMessage())
