from __future__ import annotations

from modelcore.training.peak_memory import peak_memory


def test_it_counts_what_was_given_back_already():
    before = peak_memory()
    block = bytearray(before)
    block[:: 1 << 10] = bytes(len(block[:: 1 << 10]))
    del block
    assert before < peak_memory() < 4 * before
