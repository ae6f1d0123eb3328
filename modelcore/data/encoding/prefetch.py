"""An iterator run by a thread of its own, a few items ahead of whoever takes them.

Reading, tokenising and writing so go on side by side: the tokenizers let other threads run while they work.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

__all__ = ["ahead"]

Item = TypeVar("Item")

DEPTH = 2  # finished items that wait at most
_END = object()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def ahead(items: Generator[Item, None, None]) -> Iterator[Iterator[Item]]:
    """Give the same items, made by another thread; it has ended when the block has.

    An error of `items` is raised after the items before it, as if there were no thread.
    """
    made: queue.Queue[Any] = queue.Queue(DEPTH)
    stopped = threading.Event()
    thread = threading.Thread(target=_make, args=(items, made, stopped), daemon=True)
    thread.start()
    try:
        yield _taken(made)
    finally:
        stopped.set()
        thread.join()


def _make(items: Generator[Any, None, None], made: queue.Queue[Any], stopped: threading.Event) -> None:
    with closing(items):
        try:
            for item in items:
                _hand_over(item, made, stopped)
                if stopped.is_set():
                    return
            _hand_over(_END, made, stopped)
        except BaseException as error:  # noqa: BLE001  raised again where the items are taken
            _hand_over(_Failure(error), made, stopped)


def _hand_over(item: object, made: queue.Queue[Any], stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            made.put(item, timeout=0.1)
        except queue.Full:
            continue
        return


def _taken(made: queue.Queue[Any]) -> Iterator[Any]:
    while (item := made.get()) is not _END:
        if isinstance(item, _Failure):
            raise item.error
        yield item
