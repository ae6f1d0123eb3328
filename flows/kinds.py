"""Every kind of run that has a YAML, the demo's included, with the commands that its YAML is for."""

from __future__ import annotations

from modelcore.config import kinds
from modelcore.config.kinds import Kind
from modelcore.demo.config import Demo

__all__ = ["KINDS"]

KINDS = (*kinds.KINDS, Kind(Demo, ("demo",)))
