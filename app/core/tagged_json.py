"""Stored values as JSON that people and programs outside can read and write, exactly.

A value of JSON's own types is itself. What JSON has no word for is an object with the one key `$`
and a list: the kind and what it holds.

    {"$": ["bytes", "00ff"]}                       bytes, as hex digits
    {"$": ["datetime", "2026-01-31T08:15:00"]}     a datetime, as ISO 8601
    {"$": ["int", "36893488147419103232"]}         an integer beyond 64 bits
    {"$": ["float", "nan"]}                        nan, inf, -inf
    {"$": ["set", 1, 2]}                           a set; likewise frozenset and tuple
    {"$": ["dict", 1, "one", "$", true]}           a dict whose keys are not all text, or one of
                                                   whose keys is `$`: keys and values in turn
"""

from typing import Any, Final

import orjson

from .errors import StorageRefused
from .storage_codec import TAG, encode_value, json_form, untag, without_expiry

_TEXT_KINDS: Final = frozenset({"bytes", "datetime", "int", "float"})
_KINDS: Final = _TEXT_KINDS | {"set", "frozenset", "tuple", "dict"}


def to_tagged(stored: bytes) -> Any:
    """Return the JSON for a stored value; what it is built of may be changed."""
    form = json_form(stored)
    if form is None:
        return {TAG: ["bytes", without_expiry(stored)[1:].hex()]}
    return orjson.loads(form)


def from_tagged(value: Any) -> Any:
    """Return the value that a JSON value stands for.

    Raises:
        StorageRefused: It stands for none, or for one that cannot be stored.
    """
    try:
        _check(value)
        meant = untag(value)
        encode_value(meant)
    except StorageRefused:
        raise
    except (TypeError, ValueError, RecursionError):  # their texts quote the value
        raise StorageRefused("the tagged JSON stands for no value") from None
    return meant


def _check(value: Any) -> None:
    """Look at every tag: `untag` takes it for granted that they are well made."""
    if isinstance(value, list):
        for item in value:
            _check(item)
    elif isinstance(value, dict):
        if TAG in value:
            _check_tag(value)
        else:
            for item in value.values():
                _check(item)


def _check_tag(value: dict[str, Any]) -> None:
    tag = value[TAG]
    if len(value) > 1 or not isinstance(tag, list) or not tag or tag[0] not in _KINDS:
        raise StorageRefused('"$" tags a list that begins with a kind, and stands alone')
    kind, parts = tag[0], tag[1:]
    if kind in _TEXT_KINDS:
        if len(parts) != 1 or not isinstance(parts[0], str):
            raise StorageRefused(f"a tagged {kind} holds one text")
        return
    if kind == "dict" and len(parts) % 2:
        raise StorageRefused("a tagged dict holds keys and values in turn")
    for part in parts:
        _check(part)
