"""Which rows a step trains on: a function of the seed and the step alone.

Rows are drawn without replacement, epoch after epoch, each in an order of its own; a step that crosses an
epoch's end takes the rest from the next. The global batch does not depend on the layout: data-parallel
replicas and micro-batches each take their part of it. Nothing is stored, so a resumed job needs only its
step number to go on with the same rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["epoch_order", "rows_of_step"]


@lru_cache(maxsize=2)
def epoch_order(seed: int, epoch: int, rows: int) -> np.ndarray:
    """Return the order of an epoch's rows, int64 [rows].

    Sorting raw Philox output gives the same order with every release of NumPy; `Generator.permutation`
    promises no such thing.
    """
    draws = np.random.Philox(key=[seed, epoch]).random_raw(rows)
    return np.argsort(draws, kind="stable")


def rows_of_step(seed: int, step: int, global_batch: int, rows: int) -> np.ndarray:
    """Return the rows of step `step` (from 0), int64 [global_batch].

    Args:
        seed: the run's.
        step: from 0.
        global_batch: rows a step takes over all replicas.
        rows: rows of the data set.
    """
    wanted = np.arange(step * global_batch, (step + 1) * global_batch)
    epochs, places = np.divmod(wanted, rows)
    chosen = np.empty(global_batch, np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        chosen[here] = epoch_order(seed, int(epoch), rows)[places[here]]
    return chosen
