"""Stored values as JSON that others read and write, exactly."""

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.codec import dump_json, parse_json
from app.core.errors import StorageRefused
from app.core.storage_codec import decode_value, encode_value, with_expiry
from app.core.tagged_json import from_tagged, to_tagged
from tests.unit.core.test_storage_codec import _VALUES, _same


@given(_VALUES)
def test_whatever_is_stored_crosses_json_and_comes_back_with_its_types(value: Any) -> None:
    text = dump_json(to_tagged(encode_value(value)))
    assert _same(from_tagged(parse_json(text)), decode_value(encode_value(value)))


def test_plain_values_are_themselves_and_others_are_tagged() -> None:
    plain = {"a": [1, 2.5, None, True, "x"]}
    assert to_tagged(encode_value(plain)) == plain
    assert to_tagged(encode_value(b"\x00\xff")) == {"$": ["bytes", "00ff"]}
    assert to_tagged(with_expiry(encode_value(b"\x01"), 5)) == {"$": ["bytes", "01"]}
    assert to_tagged(with_expiry(encode_value([1]), 5)) == [1]
    assert to_tagged(encode_value({"$": 1})) == {"$": ["dict", "$", 1]}
    assert math.isnan(from_tagged({"$": ["float", "nan"]}))


@pytest.mark.parametrize(
    "value",
    [
        {"$": 1},
        {"$": []},
        {"$": ["list", 1]},
        {"$": [1]},
        {"$": [["bytes"], "00"]},
        {"$": ["bytes", "0"]},
        {"$": ["bytes", "zz"]},
        {"$": ["bytes"]},
        {"$": ["bytes", 1]},
        {"$": ["bytes", "00", "00"]},
        {"$": ["int", "one"]},
        {"$": ["int", "9" * 5_000]},
        {"$": ["float", "x"]},
        {"$": ["datetime", "today"]},
        {"$": ["set", [1]]},
        {"$": ["dict", 1]},
        {"$": ["dict", [1], 2]},
        {"$": ["tuple", {"$": ["frozenset", {}]}]},
        {"$": ["set", 1], "more": 1},
        {"deep": [{"$": "x"}]},
        "\ud800",
    ],
)
def test_what_stands_for_no_value_is_refused(value: Any) -> None:
    with pytest.raises(StorageRefused):
        from_tagged(value)


@given(
    st.recursive(
        st.none() | st.text(max_size=3) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["$", "a"]), inner, max_size=2)
            | st.lists(inner, max_size=3).flatmap(
                lambda parts: st.sampled_from(
                    ["bytes", "int", "set", "dict", "float", "datetime", "tuple", "frozenset"]
                ).map(lambda kind: {"$": [kind, *parts]})
            )
        ),
    )
)
def test_any_json_either_stands_for_a_value_that_comes_back_or_is_refused(value: Any) -> None:
    try:
        meant = from_tagged(value)
    except StorageRefused:
        return
    assume("nan" not in repr(meant))  # which is not even equal to itself
    assert _same(from_tagged(to_tagged(encode_value(meant))), meant)


@pytest.mark.parametrize("kind", ["int", "float", "bytes", "datetime"])
def test_a_refusal_does_not_quote_the_value(kind: str) -> None:
    with pytest.raises(StorageRefused) as refused:
        from_tagged({"$": [kind, "a secret"]})
    assert "secret" not in str(refused.value)
