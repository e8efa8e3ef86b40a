"""What the replica answers to the diff questions (section 5.7).

An answer is made of references to the rows as they were when it was asked, so it can be sent
slowly while the replica goes on changing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..sdk.json import dump_json
from .blocks import WholeTable
from .bodies import GET_CELL_DIFF, GET_ROW_DIFF, GET_TABLE_DIFF, GET_VALUE_DIFF
from .changes import PIECE_BYTES, TableRows, changes_in_pieces, tables_stamp, values_stamp
from .hashing import leaf_hash
from .parted import Parts, gathered
from .replica import Replica
from .stamps import Leaves, decode_row, hlc_of
from .whole import whole_in_pieces, whole_stamp

_NO_HASH = -1


@dataclass(slots=True, kw_only=True)
class Answer:
    """The answer to one question.

    Attributes:
        kind: The question's message type.
        hlc: The HLC of all tables, or of all values, where the answer carries it.
        whole: The tables that the asker lacks.
        tables: The rows that the asker lacks, or the cells, as rows.
        values: The values that the asker lacks.
        hashes: The replica's own hashes of what differs, for the next question.
    """

    kind: int
    hlc: str = ""
    whole: list[WholeTable] = field(default_factory=list)
    tables: list[TableRows] = field(default_factory=list)
    values: Leaves = field(default_factory=dict)
    hashes: dict[str, Any] = field(default_factory=dict)

    def missing_bytes(self) -> int:
        """About how large the missing content is in the answer."""
        rows = sum(len(row) + len(row_id) for each in self.tables for row_id, row in each.rows)
        rows += sum(len(block) for each in self.whole for block in each.blocks)
        return rows + (len(dump_json(self.values)) if self.values else 0)

    def body(self) -> bytes:
        """The body of the Response."""
        return b"".join(self.parts())

    def parts(self) -> Parts:
        """The same, in parts that answers share."""
        if self.kind == GET_VALUE_DIFF:
            return (values_stamp(self.values, self.hlc),)
        if self.kind == GET_CELL_DIFF:
            return (tables_stamp(self.tables, self.hlc),)
        hashes = b",%b]" % dump_json(self.hashes)
        if self.whole:
            return gathered([b"[", *whole_stamp(self.whole, self.hlc), hashes])
        return (b"[", tables_stamp(self.tables, self.hlc), hashes)

    def pieces(self, piece_bytes: int = PIECE_BYTES) -> Iterator[Parts]:
        """Yield the missing content as bodies of ContentDiffs, in parts that answers share."""
        yield from whole_in_pieces(self.whole, piece_bytes)
        for body in changes_in_pieces(self.tables, self.values, piece_bytes):
            yield (body,)

    def without_missing(self) -> "Answer":
        """What is left to answer when the missing content was sent before."""
        return Answer(kind=self.kind, hlc=self.hlc, hashes=self.hashes)


def answer(replica: Replica, kind: int, theirs: dict[str, Any]) -> Answer:
    """Return the answer to a question of type 4 to 7 with the asker's hashes."""
    if kind == GET_TABLE_DIFF:
        return _table_diff(replica, theirs)
    if kind == GET_ROW_DIFF:
        return _row_diff(replica, theirs)
    if kind == GET_CELL_DIFF:
        return _cell_diff(replica, theirs)
    return _value_diff(replica, theirs)


def _table_diff(replica: Replica, theirs: dict[str, Any]) -> Answer:
    result = Answer(kind=GET_TABLE_DIFF, hlc=replica.hlc)
    for table_id, table in replica.tables.items():
        if table_id not in theirs:
            result.whole.append(WholeTable(table_id, table.hlc, table.text_blocks()))
        elif (mine := table.hash()) != theirs[table_id]:
            result.hashes[table_id] = mine
    return result


def _row_diff(replica: Replica, theirs: dict[str, Any]) -> Answer:
    result = Answer(kind=GET_ROW_DIFF)
    for table_id, their_rows in theirs.items():
        table = replica.tables.get(table_id)
        if table is None:
            continue
        missing: list[tuple[str, bytes]] = []
        differing: dict[str, int] = {}
        for row_id, mine in table.row_hashes().items():
            their_hash = their_rows.get(row_id, _NO_HASH)
            if their_hash == _NO_HASH:
                missing.append((row_id, table.rows[row_id]))
            elif mine != their_hash:
                differing[row_id] = mine
        if missing:
            result.tables.append(TableRows(table_id, "", missing))
        if differing:
            result.hashes[table_id] = differing
    return result


def _cell_diff(replica: Replica, theirs: dict[str, Any]) -> Answer:
    result = Answer(kind=GET_CELL_DIFF, hlc=replica.hlc)
    for table_id, their_rows in theirs.items():
        table = replica.tables.get(table_id)
        if table is None:
            continue
        rows: list[tuple[str, bytes]] = []
        for row_id, their_cells in their_rows.items():
            row = table.rows.get(row_id)
            if row is None:
                continue
            cells, hlc = decode_row(row)
            differing = _differing(cells, their_cells)
            if differing:
                rows.append((row_id, dump_json([differing, hlc] if hlc else [differing])))
        if rows:
            result.tables.append(TableRows(table_id, table.hlc, rows))
    return result


def _value_diff(replica: Replica, theirs: dict[str, Any]) -> Answer:
    values = replica.values
    missing = {
        value_id: values.leaves[value_id]
        for value_id, mine in values.value_hashes().items()
        if theirs.get(value_id, _NO_HASH) != mine
    }
    return Answer(kind=GET_VALUE_DIFF, hlc=values.hlc, values=missing)


def _differing(cells: Leaves, theirs: dict[str, Any]) -> Leaves:
    """The cells with another hash than theirs, each with an HLC, be it empty."""
    return {
        cell_id: [leaf[0], hlc_of(leaf)]
        for cell_id, leaf in cells.items()
        if theirs.get(cell_id, _NO_HASH) != leaf_hash(leaf[0], hlc_of(leaf))
    }
