"""What a worker is started with, and its form as a message: plain JSON data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from modelcore.sandbox.isolation import VisibleFiles
from modelcore.sandbox.limits import Limits

__all__ = ["Configuration"]


@dataclass(frozen=True)
class Configuration:
    """What a worker is started with.

    Args:
        parent: process id of the caller, whose death ends the worker.
        number: different for every worker on the machine; chooses its user id.
        level: of isolation.
        scratch: the directory that completions may write to, where they have no mount namespace.
        visible: the files that completions may read.
        limits: of every sample.
    """

    parent: int
    number: int
    level: str
    scratch: str
    visible: VisibleFiles
    limits: Limits

    def to_json(self) -> dict[str, Any]:
        """Return JSON data for `from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Configuration:
        """Return the configuration that `to_json` made into JSON data, which has lists for tuples."""
        visible = VisibleFiles(**{name: tuple(paths) for name, paths in data["visible"].items()})
        limits = Limits(**{**data["limits"], "packages": tuple(data["limits"]["packages"])})
        return cls(**{**data, "visible": visible, "limits": limits})
