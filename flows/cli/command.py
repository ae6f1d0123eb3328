"""The `mindrail` command: reads arguments, runs a flow or asks modelcore, prints the result.

Every command prints its result on stdout, as one JSON object with `--json`, and everything else on stderr.
Exit codes: 0 done, 1 failed or a bug, whose traceback is in a file, 2 bad input, 130 interrupted.
MindSpore, torch and Prefect are imported by the commands that need them, so that `--help` answers at once.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from flows.cli.bug_report import write_bug_report
from modelcore.errors import MindrailError, one_line
from modelcore.store.location import store_directory
from modelcore.store.remote import is_remote

__all__ = ["command_line", "main"]

INTERRUPTED = 130
BUG = 1
_PATH_ERRORS = {
    errno.EACCES,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}

as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else."
)


class _StorePath(click.Path):
    """A directory, or a bucket's address, of which it makes the directory on this machine."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the directory."""
        if isinstance(value, str) and is_remote(value):
            return store_directory(value)
        return super().convert(value, param, ctx)


store_option = click.option(
    "--store",
    envvar="MINDRAIL_STORE",
    type=_StorePath(path_type=Path),
    help="Directory of the artifacts, or s3://…; MINDRAIL_STORE and the config's `store` otherwise.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="mindrail")
def command_line() -> None:
    """Take a code LLM from a Hugging Face checkpoint to a HumanEval score on MindSpore.

    `mindrail demo` runs the whole pipeline on this machine in a few minutes.
    """


def main() -> NoReturn:
    """Run the command line and end with its exit code; errors that a user can fix are one line."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end what we started, as on Ctrl-C
    try:
        code = command_line.main(standalone_mode=False) or 0  # of click.exceptions.Exit, if one was raised
    except click.ClickException as error:
        code = _failed(error.format_message(), MindrailError.exit_code)
    except MindrailError as error:
        code = _failed(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        code = _failed("interrupted; run the same command to resume", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:  # noqa: BLE001  the command still ends with one line
        code = _ended_by(error)
    sys.exit(code)


def emit(result: dict[str, Any], as_json: bool, show: Callable[[dict[str, Any]], None]) -> None:
    """Print a command's result: as JSON, or as `show` shows it."""
    if as_json:
        click.echo(json.dumps(result, default=str, allow_nan=False))
    else:
        show(result)


def _ended_by(error: Exception) -> int:
    """Say in one line that a path was no good or that this is a bug; return the exit code."""
    if isinstance(error, OSError) and error.errno in _PATH_ERRORS and error.filename is not None:
        return _failed(f"{error.filename}: {error.strerror}", MindrailError.exit_code)
    try:
        where = f"the report is in {write_bug_report(error)}"
    except OSError as unwritable:
        traceback.print_exception(error)
        where = f"its report could not be written ({unwritable.strerror})"
    return _failed(f"a bug in mindrail ({type(error).__name__}); {where}; please send it to us", BUG)


def _failed(line: str, code: int) -> int:
    line = one_line(line)
    click.echo(f"mindrail: {line}", err=True)
    if "--json" in sys.argv:
        click.echo(json.dumps({"error": line, "exit_code": code}))
    return code
