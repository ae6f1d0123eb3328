"""Spreads pieces of work over the hosts of a Ray cluster; the answers come in the order of the pieces.

A piece is a Ray task: what a lost host had is done again on another one. Only a bounded number of pieces and
answers exists at a time. Knows nothing of what the pieces are; they must not depend on each other, nor on the
host that does them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from modelcore.config.training import Cluster
from modelcore.errors import MindrailError, StepFailed, one_line

__all__ = ["connected", "spread"]

Common = TypeVar("Common")
Piece = TypeVar("Piece")
Answer = TypeVar("Answer")

_PIECES_PER_CPU = 2
_ALIVE_EVERY_S = 5.0


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be connected to a cluster while the block runs.

    Raises:
        MindrailError: there is none at that address.
    """
    try:
        ray.init(address=address, namespace="mindrail", log_to_driver=False, logging_level="ERROR")
    except ConnectionError as error:
        raise MindrailError(
            "no Ray cluster there", where=f"cluster.address {address}", fix="start it with `ray start --head`"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def spread(
    work: Callable[[Common, Piece], Answer],
    common: Common,
    pieces: Iterable[Piece],
    cluster: Cluster,
    *,
    alive: Callable[[], None] = lambda: None,
) -> Generator[tuple[Piece, Answer], None, None]:
    """Yield each piece with its answer, in order; inside `connected`.

    Args:
        work: a function of a module, called on any host; must give the same answer everywhere.
        common: its first argument, sent with every piece.
        pieces: its second one; consumed as hosts become free.
        cluster: how often a piece is done again after its host was lost; resources that one piece takes.
        alive: called every few seconds while an answer is waited for.

    Raises:
        MindrailError: raised by the work.
        StepFailed: a piece's hosts were lost too often.
    """
    resources = dict(cluster.resources)
    task = ray.remote(
        num_cpus=resources.pop("CPU", 1.0),
        resources=resources,
        max_retries=cluster.host_retries,
        scheduling_strategy="SPREAD",
    )(work)
    at_once = max(1, int(ray.cluster_resources().get("CPU", 1))) * _PIECES_PER_CPU
    waiting: deque[tuple[Piece, Any]] = deque()
    for piece in pieces:
        if len(waiting) >= at_once:
            yield _answered(*waiting.popleft(), alive)
        waiting.append((piece, task.remote(common, piece)))
    while waiting:
        yield _answered(*waiting.popleft(), alive)


def _answered(piece: Piece, reference: Any, alive: Callable[[], None]) -> tuple[Piece, Any]:
    try:
        while not ray.wait([reference], timeout=_ALIVE_EVERY_S)[0]:
            alive()
        return piece, ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, MindrailError):  # StepFailed, too
            raise error.cause from error
        raise
    except RayError as error:
        raise StepFailed(f"a part of the work was lost: {one_line(str(error))[:200]}") from error
