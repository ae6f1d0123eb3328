"""How the program of a supervised rank ends.

Without a supervisor the program ends as any other: MindSpore's own scheduler would take a rank that leaves
without signing off for a lost one.
"""

from __future__ import annotations

import os
import sys
import time
from typing import NoReturn

from modelcore.launching.rank_environment import PROGRESS_VARIABLE

__all__ = ["exit_rank"]

_RECEIPTS = 2.0  # seconds


def exit_rank(code: int) -> NoReturn:
    """End this process with `code`; if a supervisor of mindrail started it, without taking MindSpore down.

    Taking down its threads and connections costs MindSpore 2.10 between 1 and 5 s in every rank, and now and
    then ends a rank that has written everything with a segmentation fault. The supervisor waits for each
    process and ends the scheduler itself, so that nothing depends on that. Files must be closed by then.

    A rank whose last collective is over may still owe another rank, whose is not, the receipt of its data: a
    thread of MindSpore's sends it. A rank that ends well therefore lingers a moment.
    """
    if PROGRESS_VARIABLE not in os.environ:
        sys.exit(code)
    if code == 0 and int(os.environ.get("RANK_SIZE", "1")) > 1:
        time.sleep(_RECEIPTS)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
