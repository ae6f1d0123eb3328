"""Runs an iterator in a separate thread, a few items ahead of its consumer.

Reading, tokenizing and writing thus run in parallel: the tokenizers release the interpreter lock.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

__all__ = ["prefetch"]

Item = TypeVar("Item")

DEPTH = 2  # finished items that wait, at most
_END = object()


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def prefetch(items: Generator[Item, None, None]) -> Iterator[Iterator[Item]]:
    """Yield an iterator over the same items, which another thread produces until the block ends.

    An exception of `items` is raised after the items before it, as without the thread.
    """
    finished: queue.Queue[Any] = queue.Queue(DEPTH)
    stopped = threading.Event()
    thread = threading.Thread(target=_produce, args=(items, finished, stopped), daemon=True)
    thread.start()
    try:
        yield _consume(finished)
    finally:
        stopped.set()
        thread.join()


def _produce(items: Generator[Any, None, None], finished: queue.Queue[Any], stopped: threading.Event) -> None:
    with closing(items):
        try:
            for item in items:
                _put(item, finished, stopped)
                if stopped.is_set():
                    return
            _put(_END, finished, stopped)
        except BaseException as error:  # noqa: BLE001  raised again in the consumer
            _put(_Failure(error), finished, stopped)


def _put(item: object, finished: queue.Queue[Any], stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            finished.put(item, timeout=0.1)
        except queue.Full:
            continue
        return


def _consume(finished: queue.Queue[Any]) -> Iterator[Any]:
    while (item := finished.get()) is not _END:
        if isinstance(item, _Failure):
            raise item.error
        yield item
