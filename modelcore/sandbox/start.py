"""The entry point of a worker's interpreter: what must happen before the worker's modules are loaded."""

from __future__ import annotations

import importlib
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Import `random` without its fork hook, then run the worker; in a completion's process, serve it."""
    _import_without_fork_hook("random")
    worker = importlib.import_module("modelcore.sandbox.worker")
    zygote = importlib.import_module("modelcore.sandbox.zygote")
    completion = importlib.import_module("modelcore.sandbox.completion")
    sys.dont_write_bytecode = True
    try:
        worker.main()
    except zygote.BecomesCompletion:
        pass
    else:
        return
    # Here, outside the handler, the exception and every frame it came through are gone.
    completion.serve_to_the_end(zygote.CHANNEL)


def _import_without_fork_hook(name: str) -> None:
    """Import a module without the function that it registers to be run in every forked process.

    `random` reseeds itself there, which takes longer than some completions; here every process that uses it
    seeds it explicitly or inherits a seeded one.
    """
    register, os.register_at_fork = os.register_at_fork, lambda **_: None
    try:
        importlib.import_module(name)
    finally:
        os.register_at_fork = register
