from __future__ import annotations

import json
import math
from collections import Counter, OrderedDict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcore.sandbox.plain import Reference, pack, unpack


def across(value: Any) -> Any:
    """The value that arrives in the other process."""
    return unpack(json.loads(json.dumps(pack(value, lambda _: 7))), Reference)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.complex_numbers(allow_nan=False) | st.fractions() | st.decimals(allow_nan=False)
)  # fmt: skip
hashables = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5)
values = st.recursive(
    hashables,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(hashables, inner, max_size=3)
        | st.frozensets(hashables, max_size=3)
        | st.sets(hashables, max_size=3)
        | st.lists(inner, max_size=3).map(deque)
    ),
    max_leaves=10,
)


@given(values)
def test_plain_data_arrives_with_its_value_and_type(value: Any) -> None:
    arrived = across(value)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize("value", [range(2, 9, 3), bytearray(b"ab"), -(2**63), 2**64, int, "\ud800", -0.0])
def test_unusual_values_arrive_with_their_value_and_type(value: Any) -> None:
    arrived = across(value)
    assert arrived == value and type(arrived) is type(value)
    assert math.copysign(1, arrived) == math.copysign(1, value) if isinstance(value, float) else True


def test_an_integer_with_more_digits_than_python_prints_arrives() -> None:
    assert across(10**5000) == 10**5000


def test_nan_arrives_and_is_equal_to_nothing() -> None:
    assert math.isnan(across(math.nan))


class Equal(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class LyingList(list):
    def __iter__(self):
        return iter([1, 2, 3])

    def __eq__(self, other: object) -> bool:
        return True


class LyingDict(dict):
    def items(self):
        return [("a", 1)]


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Equal(5), 5),
        (LyingList([9]), [9]),
        (LyingDict(b=2), {"b": 2}),
        (Pair(1, 2), (1, 2)),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(x=1), {"x": 1}),
        ({"k": 1}.keys(), {"k"}),
    ],
)
def test_a_subclass_arrives_as_the_plain_data_it_holds(value: Any, expected: Any) -> None:
    arrived = across(value)
    assert type(arrived) is type(expected) and arrived == expected


def test_numpy_scalars_arrive_as_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    arrived = [across(value) for value in (numpy.int64(3), numpy.float32(0.5), numpy.bool_(True))]
    assert arrived == [3, 0.5, True] and [type(value) for value in arrived] == [int, float, bool]


def test_anything_else_stays_and_crosses_as_a_number() -> None:
    arrived = across(object())
    assert isinstance(arrived, Reference) and arrived._reference_number == 7
    assert arrived != across(object())


def test_a_value_that_contains_itself_cannot_cross() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(RecursionError):
        pack(loop, lambda _: 0)


FORGED = [
    {},
    {"int": "x"},
    {"set": [[1]]},
    {"dict": [[1]]},
    {"fraction": ["0x1", "0x0"]},
    {"a": 1, "b": 2},
    {"no": 1},
    {"decimal": "x"},
    {"type": "print"},
    {"bytes": 5},
    {"range": ["a"]},
]


@pytest.mark.parametrize("data", FORGED)
def test_forged_data_raises_an_ordinary_exception(data: Any) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, ArithmeticError, RecursionError)):
        unpack(data, Reference)


def test_fractions_and_decimals_keep_their_value() -> None:
    assert across([Fraction(1, 3), Decimal("1.10")]) == [Fraction(1, 3), Decimal("1.10")]
