"""JSON text exactly as JavaScript's `JSON.stringify` prints it.

Peers hash that text, so it must agree byte for byte (reference: tinybase-sync, section 4, J).
Strings are what `codec.dump_json` prints already; numbers and the order of integer-like keys
are not.
"""

import re
from math import isfinite
from typing import Any, Final

from .codec import dump_json

UNDEFINED: Final = "\ufffc"
"""The one-character string that stands for JavaScript's `undefined`."""

MAX_SAFE_INTEGER: Final = 1 << 53
"""Up to this size every integer is a double of its own."""

_FIXED_UP_TO = 21
_FIXED_DOWN_TO = -6
_ARRAY_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_ARRAY_INDEX_END = (1 << 32) - 1


def js_number(number: float) -> str:
    """Return ECMAScript's Number-to-String of the double nearest to `number`.

    Raises:
        ValueError: It is not finite as a double.
    """
    if type(number) is int and -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
        return str(number)
    try:
        number = float(number)
    except OverflowError:
        raise ValueError("not a finite number") from None
    if not isfinite(number):
        raise ValueError("not a finite number")
    text = repr(number)
    if "e" in text:
        return _from_scientific(text)
    if text.endswith(".0"):
        return "0" if text == "-0.0" else text[:-2]
    return text


def js_stringify(value: Any) -> str:
    """Return what JSON.stringify prints for a value as JSON.parse would have made it.

    `UNDEFINED` alone gives `null`, as in an array; in an object its member is left out.

    Raises:
        ValueError: A number is not finite.
        TypeError: The value is not made of JSON types.
    """
    if value is None or value == UNDEFINED:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return dump_json(value).decode()
    if isinstance(value, int | float):
        return js_number(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(js_stringify, value))}]"
    if isinstance(value, dict):
        members = (
            f"{dump_json(key).decode()}:{js_stringify(child)}"
            for key, child in _in_js_order(value)
            if child != UNDEFINED
        )
        return f"{{{','.join(members)}}}"
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def _in_js_order(members: dict[str, Any]) -> list[tuple[str, Any]]:
    """Array indices ascending, then the other keys as they came."""
    indices = [key for key in members if _is_array_index(key)]
    if not indices:
        return list(members.items())
    indices.sort(key=int)
    ordered = dict.fromkeys(indices) | members
    return list(ordered.items())


def _is_array_index(key: str) -> bool:
    return _ARRAY_INDEX.fullmatch(key) is not None and int(key) < _ARRAY_INDEX_END


def _from_scientific(text: str) -> str:
    """Rewrite Python's `d.ddde-xx`, whose digits are right, in ECMAScript's form."""
    mantissa, _, exponent = text.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    digits = mantissa.removeprefix("-").replace(".", "")
    point = int(exponent) + 1
    if len(digits) <= point <= _FIXED_UP_TO:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= _FIXED_UP_TO:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _FIXED_DOWN_TO < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
