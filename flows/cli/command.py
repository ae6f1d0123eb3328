"""The `mindrail` command: reads arguments, runs a flow or asks modelcore, prints the result.

Every command prints its result on stdout, as one JSON object with `--json`, and everything else on
stderr. Exit codes: 0 done, 1 failed, 2 bad input, 130 interrupted. MindSpore, torch and Prefect are
imported by the commands that need them, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from modelcore.errors import MindrailError

__all__ = ["command_line", "main"]

INTERRUPTED = 130

as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else."
)
store_option = click.option(
    "--store",
    envvar="MINDRAIL_STORE",
    type=click.Path(path_type=Path),
    help="Directory of the artifacts; MINDRAIL_STORE and the config's `store` otherwise.",
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
    sys.exit(code)


def emit(result: dict[str, Any], as_json: bool, show: Callable[[dict[str, Any]], None]) -> None:
    """Print a command's result: as JSON, or as `show` shows it."""
    if as_json:
        click.echo(json.dumps(result, default=str, allow_nan=False))
    else:
        show(result)


def _failed(line: str, code: int) -> int:
    click.echo(f"mindrail: {line}", err=True)
    if "--json" in sys.argv:
        click.echo(json.dumps({"error": line, "exit_code": code}))
    return code
