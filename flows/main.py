"""The entry point: the command line with every command on it."""

from flows import (  # noqa: F401  importing a module adds its commands
    configuring,
    data,
    dry_run,
    evaluating,
    history,
    inspecting,
    layouts,
    running,
    scoring,
    storing,
    training,
    weights,
)
from flows.cli import command_line, main

__all__ = ["command_line", "main"]

if __name__ == "__main__":
    main()
