"""Where the interpreter of a worker begins: what must come before the worker's own modules are loaded."""

from __future__ import annotations

import importlib
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Load what reacts to forks so that it does not, then run the worker."""
    _import_deaf_to_forks("random")
    worker = importlib.import_module("modelcore.sandbox.worker")
    sys.dont_write_bytecode = True
    worker.main()


def _import_deaf_to_forks(name: str) -> None:
    """Import a module without what it registers to be run in every forked process.

    `random` seeds itself anew there, which takes longer than some completions; here every process that uses
    it seeds it itself, or inherits a seeded one.
    """
    register, os.register_at_fork = os.register_at_fork, lambda **_: None
    try:
        importlib.import_module(name)
    finally:
        os.register_at_fork = register
