"""Values in Postgres' binary format: the types that the statements of a commit have, no others.

An array costs one pass over its elements and one join; there is no table of codecs to go
through for each element, which is what makes a commit cheap.
"""

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as DriverUUID  # noqa: N811 - two of them, told apart

_INT4: Final = Struct("!i")
_INT8: Final = Struct("!q")
_ARRAY: Final = Struct("!iiiii")
"""Dimensions, whether there are nulls, type of the elements, how many, the lower bound."""
_MAY_HOLD_NULLS: Final = 1
"""The server looks for itself."""
_EMPTY: Final = Struct("!iii")
_SIZED_INT4: Final = Struct("!ii")
_SIZED_INT8: Final = Struct("!iq")
_NULL: Final = _INT4.pack(-1)
_SIXTEEN: Final = _INT4.pack(16)

_BYTES: Final = 17
_BIGINT: Final = 20
_INTEGER: Final = 23
_TEXT: Final = 25
_UUID: Final = 2950


def _sized(raw: bytes) -> bytes:
    return _INT4.pack(len(raw)) + raw


def _uuids(values: Sequence[UUID | None]) -> list[bytes]:
    return [_NULL if value is None else _SIXTEEN + value.bytes for value in values]


def _bigints(values: Sequence[int | None]) -> list[bytes]:
    pack = _SIZED_INT8.pack
    return [_NULL if value is None else pack(8, value) for value in values]


def _integers(values: Sequence[int | None]) -> list[bytes]:
    return [_NULL if value is None else _SIZED_INT4.pack(4, value) for value in values]


def _texts(values: Sequence[str | None]) -> list[bytes]:
    return [_NULL if value is None else _sized(value.encode()) for value in values]


def _byte_strings(values: Sequence[bytes | None]) -> list[bytes]:
    pack = _INT4.pack
    parts: list[bytes] = []
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(pack(len(value)))
            parts.append(value)
    return parts


_ELEMENTS: Final[Mapping[int, Callable[[Any], list[bytes]]]] = MappingProxyType(
    {_BYTES: _byte_strings, _BIGINT: _bigints, _INTEGER: _integers, _TEXT: _texts, _UUID: _uuids}
)
_ARRAYS: Final[Mapping[int, int]] = MappingProxyType(
    {1001: _BYTES, 1016: _BIGINT, 1007: _INTEGER, 1009: _TEXT, 2951: _UUID}
)
"""Type of an array to the type of its elements."""


def _uuid_alone(value: UUID | None) -> bytes:
    return _NULL if value is None else _SIXTEEN + value.bytes


def _bigint_alone(value: int | None) -> bytes:
    return _NULL if value is None else _SIZED_INT8.pack(8, value)


def _bytes_alone(value: bytes | None) -> bytes:
    return _NULL if value is None else _INT4.pack(len(value)) + value


def _integer_alone(value: int | None) -> bytes:
    return _NULL if value is None else _SIZED_INT4.pack(4, value)


def _text_alone(value: str | None) -> bytes:
    return _NULL if value is None else _sized(value.encode())


def _many(element: int) -> Callable[[Any], bytes]:
    encode = _ELEMENTS[element]
    empty = _sized(_EMPTY.pack(0, 0, element))

    def encoded(values: Sequence[Any]) -> bytes:
        count = len(values)
        if not count:
            return empty
        body = b"".join(encode(values))
        size = _INT4.pack(_ARRAY.size + len(body))
        return size + _ARRAY.pack(1, _MAY_HOLD_NULLS, element, count, 1) + body

    return encoded


_ALONE: Final[Mapping[int, Callable[[Any], bytes]]] = MappingProxyType(
    dict[int, Callable[[Any], bytes]](
        (
            (_BYTES, _bytes_alone),
            (_BIGINT, _bigint_alone),
            (_INTEGER, _integer_alone),
            (_TEXT, _text_alone),
            (_UUID, _uuid_alone),
        )
    )
)
ENCODERS: Final[Mapping[int, Callable[[Any], bytes]]] = MappingProxyType(
    {**_ALONE} | {array: _many(element) for array, element in _ARRAYS.items()}
)
"""By the type of a parameter: a value, with its size in front."""


def _uuid(raw: bytes) -> UUID:
    return DriverUUID(raw)


def _bigint(raw: bytes) -> int:
    value: int = _INT8.unpack(raw)[0]
    return value


DECODERS: Final[Mapping[int, Callable[[bytes], Any]]] = MappingProxyType(
    {_BIGINT: _bigint, _UUID: _uuid}
)
"""By the type of a column."""
