"""The content of a room as TinyBase's file persister writes it, part by part.

`content` is the file of a Store, `mergeable` that of a MergeableStore, with stamps and hashes. A
file is made of parts, each in an event of its own, so a room of any size can be written; what
fits one part is of one moment. Rows go by their ids, so that a part goes on behind the last row
of the one before, whatever has changed meanwhile. Hashes stand behind what they are of, and are
made of what was written, so a file of many moments agrees with itself: a client that loads it has
some of the later changes, and gets the rest when it synchronises.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ..sdk.json import dump_json, dump_json_ascii, parse_json
from .content import visible
from .hashing import absent_hash, leaf_hash, member_hash, text_hash
from .replica import Replica
from .stamps import Leaf, decode_row, hlc_of
from .table import Table

CONTENT: Final = "content"
MERGEABLE: Final = "mergeable"
EXPORT_FORMATS: Final = (CONTENT, MERGEABLE)


class Place(NamedTuple):
    """Where a part ends.

    Attributes:
        stage: `begin`, `tables`, `values` or `end`.
        table: The table that was begun last; None before the first.
        row: The row of it that was written last; None when the table is complete.
        value: The value that was written last; None before the first.
        more: Whether anything stands before, so that a comma is due: a table, or a value.
        own: The hash of what was written of the table.
        sum: The hash of what was written of the tables, or the values.
    """

    stage: str = "begin"
    table: str | None = None
    row: str | None = None
    value: str | None = None
    more: bool = False
    own: int = 0
    sum: int = 0


Step = tuple[bytes, Place]


def export_part(replica: Replica, form: str, after: str, limit_bytes: int) -> tuple[str, str]:
    """Return one part of the file, and where the next one begins, empty at the end.

    Args:
        replica: The room's.
        form: One of `EXPORT_FORMATS`.
        after: What the part before gave; empty for the first.
        limit_bytes: A part is not larger, unless a single row is.

    Raises:
        ValueError: `after` is none of ours.
    """
    writer = (_Mergeable if form == MERGEABLE else _Plain)(replica)
    place = _place_of(after)
    taken: list[bytes] = []
    size = 0
    for text, then in writer.steps(place):
        if taken and size + len(text) > limit_bytes:
            return b"".join(taken).decode(), dump_json_ascii(place)
        taken.append(text)
        size += len(text)
        place = then
    return b"".join(taken).decode(), ""


def _place_of(text: str) -> Place:
    try:
        return Place(*parse_json(text)) if text else Place()
    except TypeError:
        raise ValueError("no place in an export") from None


class _Writer(ABC):
    """Goes through a replica from some place on; what is printed is for the two formats."""

    begin: bytes
    table_begin: bytes
    keeps_empty = False
    """Whether a table without rows is written."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @abstractmethod
    def row(self, table: Table, row_id: str) -> tuple[bytes, int] | None:
        """A row and its hash; None when it is not written."""

    @abstractmethod
    def value(self, leaf: Leaf) -> tuple[bytes, int] | None:
        """A value and its hash; None when it is not written."""

    @abstractmethod
    def table_end(self, table: Table, own: int) -> tuple[bytes, int]:
        """The end of a table whose rows have that hash, and the hash of the table."""

    @abstractmethod
    def between(self, total: int) -> bytes:
        """What stands between the tables, which have that hash, and the values."""

    @abstractmethod
    def end(self, total: int) -> bytes:
        """What stands behind the values, which have that hash."""

    def steps(self, place: Place) -> Iterator[Step]:
        """Each piece of text, and the place behind it."""
        if place.stage == "begin":
            place = Place(stage="tables")
            yield self.begin, place
        if place.stage == "tables":
            for step in self._tables(place):
                place = step[1]
                yield step
            text = self.between(place.sum)
            place = Place(stage="values")
            yield text, place
        if place.stage == "values":
            for step in self._values(place):
                place = step[1]
                yield step
            yield self.end(place.sum), Place(stage="end")

    def _tables(self, place: Place) -> Iterator[Step]:
        for table_id in sorted(self._replica.tables):
            begun = table_id == place.table and place.row is not None
            if begun or place.table is None or table_id > place.table:
                for step in self._table(table_id, place):
                    place = step[1]
                    yield step

    def _table(self, table_id: str, place: Place) -> Iterator[Step]:
        table = self._replica.tables[table_id]
        last = place.row if place.table == table_id else None
        head = b"%b%b:%b" % (_comma(more=place.more), dump_json(table_id), self.table_begin)
        if last is None:
            place = Place("tables", None, None, None, place.more, 0, place.sum)
        for row_id in sorted(table.rows):
            if last is not None and row_id <= last:
                continue
            printed = self.row(table, row_id)
            if printed is None:
                continue
            text, row_hash = printed
            before = head if place.table is None else b","
            own = place.own ^ (member_hash(row_id, row_hash) if row_hash else 0)
            place = Place("tables", table_id, row_id, None, True, own, place.sum)  # noqa: FBT003 - in the order of its fields
            yield b"%b%b:%b" % (before, dump_json(row_id), text), place
        if place.table is None and not self.keeps_empty:
            return
        text, table_hash = self.table_end(table, place.own)
        total = place.sum ^ (member_hash(table_id, table_hash) if table_hash else 0)
        yield (
            text if place.table is not None else head + text,
            Place("tables", table_id, None, None, True, 0, total),  # noqa: FBT003 - likewise
        )

    def _values(self, place: Place) -> Iterator[Step]:
        leaves = self._replica.values.leaves
        for value_id in sorted(leaves):
            if place.value is not None and value_id <= place.value:
                continue
            printed = self.value(leaves[value_id])
            if printed is None:
                continue
            text, value_hash = printed
            comma = _comma(more=place.value is not None)
            own = member_hash(value_id, value_hash) ^ absent_hash(value_id)
            place = place._replace(value=value_id, sum=place.sum ^ own)
            yield b"%b%b:%b" % (comma, dump_json(value_id), text), place


class _Plain(_Writer):
    begin = b"[{"
    table_begin = b"{"

    def row(self, table: Table, row_id: str) -> tuple[bytes, int] | None:
        row = visible(decode_row(table.rows[row_id])[0])
        return (dump_json(row), 0) if row else None

    def value(self, leaf: Leaf) -> tuple[bytes, int] | None:
        shown = visible({"": leaf})
        return (dump_json(shown[""]), 0) if shown else None

    def table_end(self, table: Table, own: int) -> tuple[bytes, int]:
        del table, own
        return b"}", 0

    def between(self, total: int) -> bytes:
        del total
        return b"},{"

    def end(self, total: int) -> bytes:
        del total
        return b"}]"


class _Mergeable(_Writer):
    begin = b"[[{"
    table_begin = b"[{"
    keeps_empty = True

    def row(self, table: Table, row_id: str) -> tuple[bytes, int] | None:
        cells, hlc = decode_row(table.rows[row_id])
        row_hash = table.row_hashes()[row_id]
        hashed = {cell_id: _hashed(leaf) for cell_id, leaf in cells.items()}
        return dump_json([hashed, hlc, row_hash]), row_hash

    def value(self, leaf: Leaf) -> tuple[bytes, int] | None:
        hashed = _hashed(leaf)
        return dump_json(hashed), hashed[2]

    def table_end(self, table: Table, own: int) -> tuple[bytes, int]:
        table_hash = own ^ table.extra ^ _of_hlc(table.hlc)
        return _stamp_end(table.hlc, table_hash), table_hash

    def between(self, total: int) -> bytes:
        replica = self._replica
        end = _stamp_end(replica.hlc, total ^ replica.extra ^ _of_hlc(replica.hlc))
        return end + b",[{"

    def end(self, total: int) -> bytes:
        hlc = self._replica.values.hlc
        return _stamp_end(hlc, total ^ _of_hlc(hlc)) + b"]"


def _comma(*, more: bool) -> bytes:
    return b"," if more else b""


def _stamp_end(hlc: str, own: int) -> bytes:
    return b"},%b,%d]" % (dump_json(hlc), own)


def _of_hlc(hlc: str) -> int:
    return text_hash(hlc) if hlc else 0


def _hashed(leaf: Leaf) -> list[Any]:
    hlc = hlc_of(leaf)
    return [leaf[0], hlc, leaf_hash(leaf[0], hlc)]
