"""Large messages of the replica's own, as parts that many of them share.

What the replica tells one joiner is what it tells the next; only ids in front differ. So a large
message is a row of parts, and the large ones among them are the same objects in every message
(`sdk.TextParts`). Small messages stay text.
"""

from collections.abc import Iterable
from typing import Final

from ..sdk.json import dump_json

Parts = tuple[bytes, ...]
"""Pieces of UTF-8 that follow one another."""

Remainder = str | Parts
"""What follows the address of a frame."""

_SMALL_BYTES: Final = 4096
"""A smaller part is copied together with its neighbours: that costs less than to write it alone."""


def parted_remainder(request_id: str | None, kind: int, body: Iterable[bytes]) -> Parts:
    """Return the remainder of a message whose body is JSON text in parts."""
    return gathered([b"[%b,%d," % (dump_json(request_id), kind), *body, b"]"])


def gathered(parts: Iterable[bytes]) -> Parts:
    """Return the same text in fewer parts; the large ones stay the objects they are."""
    result: list[bytes] = []
    small: list[bytes] = []
    for part in parts:
        if len(part) < _SMALL_BYTES:
            small.append(part)
            continue
        if small:
            result.append(b"".join(small))
            small.clear()
        result.append(part)
    if small:
        result.append(b"".join(small))
    return tuple(result)


def remainder_text(remainder: Remainder) -> str:
    """Return a remainder as text."""
    return remainder if isinstance(remainder, str) else b"".join(remainder).decode()


def remainder_size(remainder: Remainder) -> int:
    """About how many bytes a remainder has."""
    return len(remainder) if isinstance(remainder, str) else sum(map(len, remainder))
