"""TinyBase frames as the clients of these tests write and read them, and stamps for them.

Shares no code with the server. Stamps count up from a fixed instant long ago, so they need no
clock, and each is used once.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tests.cluster.checker import Change, Place
from tests.interop.wire_json import Json, dumps, loads

RESPONSE, GET_HASHES, HASHES, DIFF, GET_TABLES, GET_VALUES = 0, 1, 2, 3, 4, 7
EVERYBODY, SERVER = "", "S"
DELETED = "\ufffc"

_ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_LONG_AGO_MS = 1_704_067_200_000
_VALUE_PLACE = 2

Tree = dict[str, dict[str, dict[str, list[Json]]]]


class Frame(NamedTuple):
    """A frame from the server, taken apart."""

    sender: str
    request: str | None
    kind: int
    body: Json


class Stamps:
    """The stamps of one writer, ascending.

    Args:
        number: The writer's own; no two writers of a history share one.
    """

    def __init__(self, number: int) -> None:
        self._writer = digits(number, 5)
        self._count = 0

    def next(self) -> str:
        self._count += 1
        return digits(_LONG_AGO_MS + self._count, 7) + digits(0, 4) + self._writer


def digits(number: int, length: int) -> str:
    """Write a number in the protocol's base 64."""
    return "".join(_ALPHABET[number >> shift & 63] for shift in range(6 * (length - 1), -1, -6))


def frame(address: str, request: str | None, kind: int, body: Json) -> str:
    return f"{address}\n{dumps([request, kind, body])}"


def parse(text: str) -> Frame:
    sender, _, remainder = text.partition("\n")
    request, kind, body = loads(remainder)
    return Frame(sender, request, kind, body)


def stamps_of(changes: Iterable[Change]) -> tuple[list[Json], list[Json]]:
    """The tables stamp and the values stamp that carry these changes."""
    tables: Tree = {}
    values: dict[str, list[Json]] = {}
    for change in changes:
        leaf = [change.value, change.stamp]
        if len(change.place) == _VALUE_PLACE:
            values[change.place[1]] = leaf
        else:
            _, table, row, cell = change.place
            tables.setdefault(table, {}).setdefault(row, {})[cell] = leaf
    wrapped = {t: [{r: [cells] for r, cells in rows.items()}] for t, rows in tables.items()}
    return [wrapped], [values]


def changes_in(room: str, tables: list[Json], values: list[Json]) -> Iterator[Change]:
    """The changes that two stamps carry."""
    for table, (rows, *_hlc) in _members(tables).items():
        for row, (cells, *_row_hlc) in rows.items():
            for cell, (value, stamp) in cells.items():
                yield Change((room, table, row, cell), stamp, value)
    for name, (value, stamp) in _members(values).items():
        yield Change((room, name), stamp, value)


def content_of(changes: Iterable[Change]) -> dict[Place, tuple[Json, str]]:
    return {change.place: (change.value, change.stamp) for change in changes}


def _members(stamp: list[Json]) -> Mapping[str, Json]:
    members: Mapping[str, Json] = stamp[0]
    return members
