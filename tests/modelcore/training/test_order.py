from __future__ import annotations

import numpy as np

from modelcore.training.order import epoch_order, rows_of_step


def test_an_epoch_takes_every_row_once():
    taken = np.concatenate([rows_of_step(3, step, 5, 20) for step in range(4)])
    assert sorted(taken) == list(range(20))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {tuple(epoch_order(seed, epoch, 50)) for seed in (1, 2) for epoch in (0, 1)}
    assert len(orders) == 4


def test_a_step_across_an_epochs_end_takes_the_rest_from_the_next():
    taken = np.concatenate([rows_of_step(3, step, 8, 20) for step in range(5)])
    assert sorted(taken[:20]) == sorted(taken[20:]) == list(range(20))


def test_a_batch_larger_than_the_data_wraps_round():
    assert sorted(rows_of_step(3, 0, 9, 3)) == sorted([0, 1, 2] * 3)


def test_the_order_is_the_same_in_every_release():
    assert list(rows_of_step(1, 0, 8, 1000)) == [404, 476, 90, 962, 378, 306, 737, 254]
