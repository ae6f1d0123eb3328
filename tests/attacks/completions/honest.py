"""Right answers that an overly strict scorer fails."""

from __future__ import annotations

from .attack import Attack

__all__ = ["HONEST"]

HONEST = (
    Attack(
        name="ok_sleep",
        what="sleeps 1.5 s",
        completion="""\
    import time
    if not hasattr(add, 'd'):
        add.d = 1
        time.sleep(1.5)
    return x + y
""",
        passes=True,
    ),
    Attack(
        name="ok_busy",
        what="computes for 1.5 s",
        completion="""\
    import time
    if not hasattr(add, 'd'):
        add.d = 1
        while time.process_time() < 1.5: pass
    return x + y
""",
        passes=True,
    ),
    Attack(
        name="ok_dataclass",
        what="uses a dataclass, an enum and a named tuple",
        completion="""\
    from dataclasses import dataclass
    from typing import NamedTuple
    from enum import IntEnum
    @dataclass
    class A:
        v: int
    class B(NamedTuple):
        v: int
    class C(IntEnum):
        ZERO = 0
    return A(x).v + B(y).v + C.ZERO
""",
        passes=True,
    ),
    Attack(
        name="ok_numpy",
        what="adds with numpy and returns its integer",
        completion="""\
    import numpy as np
    return np.add(x, y)
""",
        passes=True,
    ),
    Attack(
        name="ok_asyncio",
        what="adds in a coroutine",
        completion="""\
    import asyncio
    async def f():
        await asyncio.sleep(0)
        return x + y
    return asyncio.run(f())
""",
        passes=True,
    ),
    Attack(
        name="ok_processes",
        what="adds in a process pool",
        completion="""\
    if hasattr(add, 'd'): return x + y
    add.d = 1
    import multiprocessing as m
    with m.get_context('fork').Pool(2) as p:
        return p.apply(int.__add__, (x, y))
""",
        passes=True,
        forks=True,
    ),
    Attack(
        name="ok_pickle",
        what="pickles an instance of its own class",
        completion="""\
    import pickle
    return pickle.loads(pickle.dumps(P(x + y))).v

class P:
    def __init__(self, v):
        self.v = v
""",
        passes=True,
    ),
    Attack(
        name="ok_doctest",
        what="runs its doctest",
        completion="""\
    return x + y

import doctest
doctest.testmod()
""",
        passes=True,
    ),
    Attack(
        name="ok_logging",
        what="logs and warns",
        completion="""\
    import logging, warnings
    logging.warning('adding')
    warnings.warn('adding')
    return x + y
""",
        passes=True,
    ),
    Attack(
        name="ok_alarm",
        what="sets an alarm",
        completion="""\
    import signal
    signal.signal(signal.SIGALRM, lambda *a: None)
    signal.alarm(1)
    signal.alarm(0)
    return x + y
""",
        passes=True,
    ),
    Attack(
        name="ok_libraries",
        what="imports much of the standard library",
        completion="""\
    import sqlite3, ssl, zlib, bz2, lzma, csv, uuid, secrets, subprocess, email, unittest
    import xml.etree.ElementTree
    return x + y
""",
        passes=True,
    ),
    Attack(
        name="ok_fraction",
        what="returns a Fraction equal to the sum",
        completion="""\
    from fractions import Fraction
    return Fraction(x) + y
""",
        passes=True,
    ),
    Attack(
        name="ok_cache",
        what="caches and recurses 900 deep",
        completion="""\
    from functools import lru_cache
    @lru_cache(None)
    def f(n):
        return 0 if n == 0 else f(n - 1)
    return x + y + f(400)
""",
        passes=True,
    ),
    Attack(
        name="ok_thread_left",
        what="leaves a thread that never ends, and an exit handler",
        completion="""\
    import atexit, threading, time
    atexit.register(time.sleep, 1000)
    threading.Thread(target=time.sleep, args=(1000,)).start()
    return x + y
""",
        passes=True,
    ),
    Attack(
        name="ok_surrogate",
        what="works with text that UTF-8 cannot hold, and with its own recursion limit",
        completion="""\
    import sys
    sys.setrecursionlimit(5000)
    def depth(n):
        return 0 if n == 0 else 1 + depth(n - 1)
    assert depth(3000) == 3000
    assert len('\\ud800') == 1
    return x + y
""",
        passes=True,
    ),
)
