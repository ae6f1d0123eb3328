"""The entry point: the command line with every command on it."""

from flows import configuring, data, dry_run, evaluating, history, layouts, running, scoring, storing, weights  # noqa: F401  importing a module adds its commands
from flows.cli import command_line, main

__all__ = ["command_line", "main"]

if __name__ == "__main__":
    main()
