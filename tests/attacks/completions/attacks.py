"""All completions of this folder. See README.md for what happened."""

from __future__ import annotations

from .clogging import CLOGGING
from .escaping import ESCAPING
from .exhausting import EXHAUSTING
from .forging import FORGING
from .honest import HONEST

__all__ = ["ATTACKS"]

ATTACKS = (*FORGING, *CLOGGING, *ESCAPING, *EXHAUSTING, *HONEST)
