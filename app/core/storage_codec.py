"""How a stored value becomes bytes and comes back.

The first byte tells the form: raw bytes, plain JSON, or tagged JSON for values that hold types
JSON has no word for. A value comes back with the types it was put with.

A value that expires has a form of its own around that: a byte, the time in milliseconds since
1970 as eight bytes, the highest first, then the value in its form.
"""

from datetime import datetime
from math import isfinite
from typing import Any, Final

import orjson

from .errors import StorageRefused

_RAW = b"\x00"
_PLAIN = b"\x01"
_TAGGED = b"\x02"
_RAW_FORM, _PLAIN_FORM = _RAW[0], _PLAIN[0]

EXPIRING: Final = 3
"""The first byte of a value that expires."""

_EXPIRY_BYTES = 9

FORM_BYTES: Final = _EXPIRY_BYTES + 1
"""So many of the first bytes of a stored value tell its form and when it expires."""

TAG: Final = "$"
"""The key of a JSON object that stands for a type JSON has no word for."""
_MAX_DEPTH = 100
_INT_BITS = 63
_SCALARS = frozenset({str, bool, type(None)})


def encode_value(value: Any) -> bytes:
    """Return the stored form of `value`.

    Raises:
        StorageRefused: A type that cannot be stored, a value nested over 100 levels deep, or
            text with a lone surrogate.
    """
    if type(value) is bytes:
        return _RAW + value
    try:
        if _is_plain(value, 0):
            return _PLAIN + orjson.dumps(value)
        return _TAGGED + orjson.dumps(_tag(value, 0))
    except (TypeError, orjson.JSONEncodeError) as error:
        raise StorageRefused(f"the value cannot be stored: {error}") from None


def decode_value(stored: bytes) -> Any:
    """Return the value that `encode_value` was given."""
    form = stored[0]
    if form == _RAW_FORM:
        return stored[1:]
    if form == EXPIRING:
        return decode_value(stored[_EXPIRY_BYTES:])
    value = orjson.loads(memoryview(stored)[1:])
    return value if form == _PLAIN_FORM else untag(value)


def is_raw(stored: bytes) -> bool:
    """Whether a stored value is bytes; its first `FORM_BYTES` are enough to tell."""
    form = stored[_EXPIRY_BYTES] if stored[0] == EXPIRING else stored[0]
    return form == _RAW_FORM


def without_expiry(stored: bytes) -> bytes:
    """The form of a stored value, without the time it expires at if it does."""
    return stored[_EXPIRY_BYTES:] if stored[0] == EXPIRING else stored


def json_form(stored: bytes) -> memoryview | None:
    """The JSON of a stored value, tagged where need be; None for bytes."""
    form = memoryview(stored)[_EXPIRY_BYTES:] if stored[0] == EXPIRING else memoryview(stored)
    return None if form[0] == _RAW_FORM else form[1:]


def with_expiry(stored: bytes, expires_ms: int) -> bytes:
    """Return the form of a stored value that expires at a time, milliseconds since 1970."""
    return bytes((EXPIRING,)) + expires_ms.to_bytes(8, "big") + stored


def expiry_ms(stored: bytes) -> int:
    """Return when a value expires whose first byte is EXPIRING."""
    return int.from_bytes(stored[1:_EXPIRY_BYTES], "big")


def expired(stored: bytes, now_ms: int) -> bool:
    """Whether a stored value is over at a time."""
    return stored[0] == EXPIRING and expiry_ms(stored) <= now_ms


def _is_plain(value: Any, depth: int) -> bool:
    """Whether JSON carries the value exactly."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is int:
        return bool(-(1 << _INT_BITS) <= value < (1 << _INT_BITS))
    if kind is float:
        return isfinite(value)
    if kind is list:
        _check_depth(depth)
        return all(_is_plain(item, depth + 1) for item in value)
    if kind is dict:
        _check_depth(depth)
        return all(
            type(key) is str and key != TAG and _is_plain(item, depth + 1)
            for key, item in value.items()
        )
    return False


def _check_depth(depth: int) -> None:
    if depth >= _MAX_DEPTH:
        raise StorageRefused(f"the value is nested over {_MAX_DEPTH} levels deep")


def _tag(value: Any, depth: int) -> Any:
    """Rewrite the value so that JSON carries it; `{"$": [kind, ...]}` stands for other types."""
    match value:
        case None | bool() | str():
            return value
        case int():
            plain = -(1 << _INT_BITS) <= value < (1 << _INT_BITS)
            return value if plain else {TAG: ["int", str(value)]}
        case float():
            return value if isfinite(value) else {TAG: ["float", repr(value)]}
        case bytes() | bytearray() | memoryview():
            return {TAG: ["bytes", bytes(value).hex()]}
        case datetime():
            return {TAG: ["datetime", value.isoformat()]}
    _check_depth(depth)
    deeper = depth + 1
    match value:
        case list():
            return [_tag(item, deeper) for item in value]
        case tuple():
            return {TAG: ["tuple", *(_tag(item, deeper) for item in value)]}
        case set():
            return {TAG: ["set", *(_tag(item, deeper) for item in value)]}
        case frozenset():
            return {TAG: ["frozenset", *(_tag(item, deeper) for item in value)]}
        case dict():
            if all(type(key) is str and key != TAG for key in value):
                return {key: _tag(item, deeper) for key, item in value.items()}
            # Flat, because JSON may be nested only so deep.
            pairs = (_tag(part, deeper) for pair in value.items() for part in pair)
            return {TAG: ["dict", *pairs]}
    raise StorageRefused(f"values of type {type(value).__name__} cannot be stored")


def untag(value: Any) -> Any:
    """Return the value that a well-made tagged JSON value stands for; see `tagged_json`."""
    if type(value) is list:
        return [untag(item) for item in value]
    if type(value) is not dict:
        return value
    if TAG not in value:
        return {key: untag(item) for key, item in value.items()}
    kind, *parts = value[TAG]
    match kind:
        case "int":
            return int(parts[0])
        case "float":
            return float(parts[0])
        case "bytes":
            return bytes.fromhex(parts[0])
        case "datetime":
            return datetime.fromisoformat(parts[0])
        case "tuple":
            return tuple(untag(part) for part in parts)
        case "set":
            return {untag(part) for part in parts}
        case "frozenset":
            return frozenset(untag(part) for part in parts)
        case _:
            return dict(zip(map(untag, parts[::2]), map(untag, parts[1::2]), strict=True))
