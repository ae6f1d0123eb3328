"""Lines for the person who watches: on stderr, and in the log of the Prefect run that they are part of.

Prefect is not imported here: commands that run no flow do not need it.
"""

from __future__ import annotations

import logging
import os
import sys

from rich.console import Console

__all__ = ["discard_output", "log", "log_run", "log_wait", "stderr", "warn"]


def discard_output() -> None:
    """Write stdout and stderr to nowhere from now on: whoever read them is gone, and the work continues."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


class _Stderr(Console):
    def on_broken_pipe(self) -> None:
        discard_output()  # rich would end the process


stderr = _Stderr(stderr=True, soft_wrap=True, highlight=False)
"""What everything for the person who watches is printed on; a command's stdout holds its result alone."""


def log(line: str) -> None:
    """Print one line on stderr, and add it to the run's log where this is part of a run."""
    _log(line, logging.INFO)


def log_run(line: str) -> None:
    """Add one line to the log of the run that this is part of; a terminal has a progress bar instead."""
    logger = _run_logger()
    if logger is not None:
        logger.info(line)


def warn(line: str) -> None:
    """Log, as a warning, a line on which a result may depend."""
    _log(f"warning: {line}", logging.WARNING)


def log_wait(seconds: float) -> None:
    """Log how long a busy server wants us to wait."""
    log(f"the server is busy and asks to wait {seconds:.0f} s")


def _log(line: str, level: int) -> None:
    logger = _run_logger()
    if logger is not None:
        logger.log(level, line)
    if logger is None or not _prefect_prints(logger):
        stderr.print(line, markup=False, style="yellow" if level >= logging.WARNING else None)


def _run_logger() -> logging.Logger | logging.LoggerAdapter[logging.Logger] | None:
    """Return the logger of the flow or task run that this is part of, None outside of one."""
    if "prefect" not in sys.modules:  # then there is no run; importing it takes a second
        return None
    from prefect.exceptions import MissingContextError
    from prefect.logging import get_run_logger

    try:
        return get_run_logger()
    except MissingContextError:
        return None


def _prefect_prints(logger: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> bool:
    """Return whether Prefect prints this logger's lines on stderr, beside sending them to its server."""
    from prefect.logging.handlers import PrefectConsoleHandler

    at: logging.Logger | None = logger.logger if isinstance(logger, logging.LoggerAdapter) else logger
    if at is None or not at.isEnabledFor(logging.INFO):
        return False
    while at is not None:
        for handler in at.handlers:
            if isinstance(handler, PrefectConsoleHandler) and handler.level <= logging.INFO:
                return True
        at = at.parent if at.propagate else None
    return False
