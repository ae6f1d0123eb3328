"""All completions of this folder. README.md lists their outcomes."""

from __future__ import annotations

from .clogging import CLOGGING
from .escaping import ESCAPING
from .exhausting import EXHAUSTING
from .forging import FORGING
from .honest import HONEST
from .obvious import OBVIOUS

__all__ = ["ATTACKS"]

ATTACKS = (*OBVIOUS, *FORGING, *CLOGGING, *ESCAPING, *EXHAUSTING, *HONEST)
