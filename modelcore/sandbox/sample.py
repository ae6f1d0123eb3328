"""The unit of work of the sandbox: one program and the tests it has to pass. Does not run either."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Sample"]


@dataclass(frozen=True)
class Sample:
    """A program with the tests it has to pass.

    Args:
        program: the whole source that the completion's process runs.
        helpers: the benchmark's own source whose definitions the tests may use (the prompt).
        test: source that defines `check(candidate)`.
        entry_point: the name of the function under test.
        seed: seeds `random`, so that tests with random inputs are the same in every run.
    """

    program: str
    helpers: str
    test: str
    entry_point: str
    seed: str
