"""JSON: the only home of its parsers and printers.

Two parsers, one answer. The fast one (orjson) is exact wherever it accepts a text, but refuses
lone surrogate escapes, which JavaScript writes. Whatever it refuses goes to an exact, slower one
that accepts them and agrees with it on everything else:

* numbers outside the 64-bit integers are floats, and one that is infinite as a double is refused;
* `NaN` and `Infinity` are not JSON; a byte order mark is an error;
* of repeated keys the last one wins;
* nesting over `MAX_JSON_DEPTH` levels is refused.
"""

import json  # noqa: TID251 - this is its home
import re
from math import isfinite, isinf
from typing import Any, NoReturn

import orjson

MAX_JSON_DEPTH = 200
"""Levels of arrays and objects. Below what either parser and the printer can do by themselves."""

_SHALLOW_CHARS = 2 * MAX_JSON_DEPTH
"""A text of at most this length cannot nest deeper than the limit: each level needs two."""

_SHORT_INT_DIGITS = 18
_LONG_INT_DIGITS = 20
_INT_MIN = -(1 << 63)
_INT_END = 1 << 64

_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTAINERS = frozenset({dict, list})


class JsonError(ValueError):
    """The text is not JSON that can be taken."""


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        JsonError: It is not JSON, nests too deeply or holds a number beyond the doubles.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return parse_json_exact(text)
    if len(text) > _SHALLOW_CHARS and _nests_too_deeply(text, value):
        raise JsonError(f"nested over {MAX_JSON_DEPTH} levels deep")
    return value


def parse_json_exact(text: str | bytes) -> Any:
    """Do what `parse_json` does, slowly, for texts with lone surrogate escapes too."""
    try:
        decoded = text if isinstance(text, str) else str(text, "utf-8")
        value = _EXACT.decode(decoded)
    except (ValueError, RecursionError) as error:
        raise JsonError(str(error)) from None
    if len(decoded) > _SHALLOW_CHARS and _nests_too_deeply(decoded, value):
        raise JsonError(f"nested over {MAX_JSON_DEPTH} levels deep")
    return value


def dump_json(value: Any) -> bytes:
    r"""Return compact JSON in UTF-8; lone surrogates as `\udxxx`, NaN and infinities as `null`.

    Raises:
        TypeError: The value is not made of JSON types.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return _dump_exact(value).encode()


def dump_json_ascii(value: Any) -> str:
    """Return compact JSON of ASCII characters only, everything else escaped.

    Raises:
        TypeError: The value is not made of JSON types.
    """
    return _ASCII.encode(value)


def _nests_too_deeply(text: str | bytes, value: Any) -> bool:
    if isinstance(text, str):
        opened = text.count("[") + text.count("{")
    else:
        opened = text.count(b"[") + text.count(b"{")
    if opened <= MAX_JSON_DEPTH:
        return False
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(MAX_JSON_DEPTH):
        if not level:
            return False
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) in _CONTAINERS
        ]
    return bool(level)


def _dump_exact(value: Any) -> str:
    try:
        text = _COMPACT.encode(value)
    except ValueError:
        text = _COMPACT.encode(_without_infinities(value))
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _without_infinities(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_infinities(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_infinities(child) for child in value]
    return value


def _exact_float(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise JsonError("a number is beyond the doubles")
    return number


def _exact_int(digits: str) -> Any:  # not float: compiled code would make one of an int
    if len(digits) <= _SHORT_INT_DIGITS:
        return int(digits)
    if len(digits) <= _LONG_INT_DIGITS:
        number = int(digits)
        if _INT_MIN <= number < _INT_END:
            return number
    return _exact_float(digits)


def _refuse_constant(word: str) -> NoReturn:
    raise JsonError(f"{word} is not JSON")


_EXACT = json.JSONDecoder(
    parse_float=_exact_float, parse_int=_exact_int, parse_constant=_refuse_constant
)
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
