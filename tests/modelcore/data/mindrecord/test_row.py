"""The bytes of a row: the format's own examples, its limits, and every way in which bytes are no row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modelcore.data.mindrecord.row import column_bytes, row_bytes, unpack_row
from modelcore.errors import MindrailError

COUNT = bytes([0, 0, 0])  # all but the last byte of a small count


def column(*values: int) -> bytes:
    (found,) = column_bytes(np.array([values], np.int32))
    return found


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 127, -128], COUNT + bytes([4, 0b00000000, 0, 1, 127, 0x80])),
        ([128, -129], COUNT + bytes([2, 0b01010000, 128, 0, 0x7F, 0xFF])),
        ([-1, 32767, 32768], COUNT + bytes([3, 0b00011000, 0xFF, 0xFF, 0x7F, 0, 0x80, 0, 0])),
        ([-32768, -32769], COUNT + bytes([2, 0b01100000, 0, 0x80, 0xFF, 0x7F, 0xFF, 0xFF])),
        ([1, 2, 3, 4, 5], COUNT + bytes([5, 0, 0, 1, 2, 3, 4, 5])),
        ([70000, 1, 300, -1, 2], COUNT + bytes([5, 0b10000100, 0, 0x70, 0x11, 1, 0, 1, 0x2C, 1, 0xFF, 2])),
    ],
)
def test_a_value_takes_the_narrowest_width_that_holds_it(values: list[int], expected: bytes) -> None:
    assert column(*values) == expected


def test_rows_side_by_side_are_packed_as_each_alone() -> None:
    array = np.array([[1, 2, 3], [300, -300, 0], [1 << 20, -(1 << 31), (1 << 31) - 1]], np.int32)
    assert column_bytes(array) == [column(*row) for row in array.tolist()]
    assert column_bytes(array[:2]) == [column(*row) for row in array[:2].tolist()]
    assert column_bytes(np.asfortranarray(array)) == column_bytes(array)


def test_one_column_stands_alone_and_several_have_their_lengths() -> None:
    assert row_bytes([b"abc"]) == bytes([3, 0, 0, 0, 0, 0, 0, 0]) + b"abc"
    first, second = (bytes([0, 0, 0, 0, 0, 0, 0, length]) for length in (3, 1))
    assert row_bytes([b"abc", b"d"]) == bytes([20, 0, 0, 0, 0, 0, 0, 0]) + first + b"abc" + second + b"d"


@given(
    arrays.arrays(
        np.int32,
        st.tuples(st.just(3), st.integers(1, 11)),
        elements=st.integers(-(1 << 31), (1 << 31) - 1)
        | st.sampled_from([-129, -128, 127, 128, -32769, -32768, 32767, 32768]),
    )
)
def test_what_is_packed_is_unpacked(array: np.ndarray) -> None:
    for row, packed in zip(array, column_bytes(array), strict=True):
        np.testing.assert_array_equal(unpack_row(row_bytes([packed]), ["a"], "")["a"], row)
        found = unpack_row(row_bytes([packed, column(7), packed]), ["a", "b", "c"], "")
        assert list(found) == ["a", "b", "c"] and found["b"].tolist() == [7]
        np.testing.assert_array_equal(found["a"], row)
        np.testing.assert_array_equal(found["c"], row)
        assert found["a"].dtype == np.int32


@pytest.mark.parametrize(
    "blob", [b"", row_bytes([b""])[:7], row_bytes([column(1)])[:-1], row_bytes([column(1)]) + b"\0"]
)
def test_a_row_of_another_length_is_refused(blob: bytes) -> None:
    with pytest.raises(
        MindrailError, match="^row 3: the row does not have the length that it states; the file is damaged$"
    ):
        unpack_row(blob, ["a"], "row 3")


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(COUNT + bytes([2, 0, 1]), id="a value missing"),
        pytest.param(COUNT + bytes([2, 0, 1, 2, 3]), id="a value too many"),
        pytest.param(COUNT + bytes([9, 0, 0]), id="marks missing"),
        pytest.param(COUNT + bytes([1, 0b11000000, 1, 2, 3, 4, 5, 6, 7, 8]), id="a width of eight bytes"),
        pytest.param(COUNT + bytes([1, 0b10000000, 1, 2]), id="a value of four bytes cut"),
    ],
)
def test_a_column_that_does_not_match_its_count_is_refused(packed: bytes) -> None:
    with pytest.raises(
        MindrailError, match="^row 3: a column's bytes do not match its count; the file is damaged$"
    ):
        unpack_row(row_bytes([packed]), ["a"], "row 3")
