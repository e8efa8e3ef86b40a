"""How a stored value becomes bytes and comes back as it was."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import StorageRefused
from app.core.storage_codec import decode_value, encode_value

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.datetimes(timezones=st.just(UTC) | st.none())
)
_HASHABLE = _SCALARS | st.tuples(_SCALARS, _SCALARS) | st.frozensets(_SCALARS, max_size=3)
_VALUES = st.recursive(
    _HASHABLE | st.sets(_HASHABLE, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.sampled_from("a$b")), inner, max_size=4)
        | st.dictionaries(_HASHABLE, inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


def _same(left: Any, right: Any) -> bool:
    """Equal, with the same types all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict):
        return left == right and all(_same(left[key], right[key]) for key in left)
    return bool(left == right)


@given(_VALUES)
def test_80_whatever_can_be_stored_comes_back_with_its_types(value: Any) -> None:
    assert _same(decode_value(encode_value(value)), value)


@pytest.mark.parametrize(
    "value",
    [
        True,
        1,
        1.0,
        -0.0,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        2**64,
        10**400,
        1e308,
        5e-324,
        math.inf,
        -math.inf,
        {"$": ["int", "1"]},
        {"$": {"$": {}}},
        {1: "a", "1": "b", None: "c", (1,): "d"},
        [b"", {b"x"}, (), frozenset()],
        datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-3))),
        "\0\x7f\u2028\U0010ffff",
    ],
)
def test_corner_values_come_back_with_their_types(value: Any) -> None:
    assert _same(decode_value(encode_value(value)), value)


def test_not_a_number_comes_back_as_such() -> None:
    assert math.isnan(decode_value(encode_value([float("nan")]))[0])


def test_bytes_are_stored_as_they_are() -> None:
    assert encode_value(b"abc") == b"\x00abc"
    assert decode_value(b"\x00") == b""


def test_bytes_in_disguise_come_back_as_bytes() -> None:
    assert decode_value(encode_value(bytearray(b"a"))) == b"a"
    assert decode_value(encode_value([memoryview(b"a")])) == [b"a"]


def test_subclasses_come_back_as_what_they_are_in_plain_words() -> None:
    class Name(str):
        __slots__ = ()

    assert decode_value(encode_value(Name("x"))) == "x"


class Unknown:
    """No word of storage."""


@pytest.mark.parametrize(
    "value",
    [Unknown(), [Unknown()], {"a": Unknown()}, {Unknown(): 1}, 1j, "\ud83d", {"\ud83d": 1}, len],
)
def test_what_cannot_be_stored_is_refused(value: Any) -> None:
    with pytest.raises(StorageRefused):
        encode_value(value)


def _nested(depth: int, wrap: Any) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


_WRAPS: list[Any] = [
    lambda value: [value],
    lambda value: {"a": value},
    lambda value: (value,),
    lambda value: {1: value},
    lambda value: frozenset([value]),
]


@pytest.mark.parametrize("wrap", _WRAPS)
def test_a_hundred_levels_are_accepted(wrap: Any) -> None:
    value = _nested(100, wrap)
    assert decode_value(encode_value(value)) == value


@pytest.mark.parametrize("wrap", _WRAPS)
@pytest.mark.parametrize("depth", [101, 500, 5_000])
def test_much_more_is_refused_and_not_a_crash(wrap: Any, depth: int) -> None:
    with pytest.raises(StorageRefused, match="100 levels"):
        encode_value(_nested(depth, wrap))


def test_a_value_that_holds_itself_is_refused() -> None:
    ring: list[Any] = []
    ring.append((ring,))
    with pytest.raises(StorageRefused, match="100 levels"):
        encode_value(ring)
