"""The description of a hostile or honest completion."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Attack"]


@dataclass(frozen=True)
class Attack:
    """One completion of a HumanEval prompt.

    Args:
        name: unique.
        what: what it tries to do.
        completion: the function's body and the code after it.
        passes: whether it must pass.
        forks: whether it is honest code that needs child processes.
        task_id: the problem; by default the one of `add(x, y)`.
    """

    name: str
    what: str
    completion: str
    passes: bool = False
    forks: bool = False
    task_id: str = "HumanEval/53"
