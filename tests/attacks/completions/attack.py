"""What a hostile or honest completion is made of."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Attack"]


@dataclass(frozen=True)
class Attack:
    """One completion of a HumanEval prompt.

    Args:
        name: unique.
        what: what it tries.
        completion: the function's body and what follows it.
        passes: whether it must pass.
        forks: whether it is honest code that needs processes of its own.
        task_id: the problem; `add(x, y)` unless it needs another.
    """

    name: str
    what: str
    completion: str
    passes: bool = False
    forks: bool = False
    task_id: str = "HumanEval/53"
