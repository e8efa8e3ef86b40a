"""MergeableChanges as text, joined from the bytes of rows (section 3.2).

Nothing is encoded again: rows go in as they lie in memory. Where the whole would be too much for
one frame, the same content comes as several changes, each complete in itself, because changes
merge in any order.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ..sdk.json import dump_json
from .stamps import Leaf, Leaves, decode_row, encode_row

PIECE_BYTES: Final = 1 << 20
"""What one ContentDiff of the replica's own holds at most, unless a single leaf is larger."""

_LEAF_OVERHEAD_BYTES = 8
_NO_TABLES = b"[{}]"
_TEXT: Final = rb'"(?:[^"\\]|\\.)*+"'
_plain_cell: Final = re.compile(
    rb"%b:\[(?:%b|[^\[\]{}\",]++)(?:,\"[^\"\\]*+\")?\]" % (_TEXT, _TEXT), re.DOTALL
).match
"""A cell whose value is no container."""


class TableRows(NamedTuple):
    """Some rows of a table, with the table's HLC or the empty text."""

    table_id: str
    hlc: str
    rows: list[tuple[str, bytes]]


def tables_stamp(tables: Iterable[TableRows], hlc: str = "") -> bytes:
    """Return a TablesStamp."""
    members = (
        b"%b:%b" % (dump_json(each.table_id), _stamp(_members(each.rows), each.hlc))
        for each in tables
    )
    return _stamp(b",".join(members), hlc)


def values_stamp(values: Leaves, hlc: str = "") -> bytes:
    """Return a ValuesStamp."""
    return dump_json([values, hlc] if hlc else [values])


def changes_body(tables: Iterable[TableRows], values: Leaves) -> bytes:
    """Return MergeableChanges: the body of a ContentDiff."""
    return b"[%b,%b,1]" % (tables_stamp(tables), values_stamp(values))


def rows_of(leaves: dict[str, dict[str, Leaves]]) -> list[TableRows]:
    """Return cells, given by table and row, as rows."""
    return [
        TableRows(table_id, "", [(row_id, encode_row(cells, "")) for row_id, cells in rows.items()])
        for table_id, rows in leaves.items()
    ]


def changes_in_pieces(
    tables: Iterable[TableRows], values: Leaves, piece_bytes: int = PIECE_BYTES
) -> Iterator[bytes]:
    """Yield bodies of ContentDiffs of at most about `piece_bytes` that hold it all."""
    for piece in _packed_rows(tables, piece_bytes):
        yield changes_body(piece, {})
    for leaves in _packed_leaves(values, piece_bytes):
        yield b"[%b,%b,1]" % (_NO_TABLES, values_stamp(leaves))


def _packed_rows(tables: Iterable[TableRows], piece_bytes: int) -> Iterator[list[TableRows]]:
    piece: list[TableRows] = []
    size = 0
    for table in tables:
        current = TableRows(table.table_id, table.hlc, [])
        piece.append(current)
        for row_id, whole in table.rows:
            for at, row in enumerate(_row_parts(whole, piece_bytes)):
                # A piece holds a row once: of two parts with one key the first would be lost.
                if size and (at or size + len(row) > piece_bytes):
                    yield [each for each in piece if each.rows or each.hlc]
                    current = TableRows(table.table_id, table.hlc, [])
                    piece, size = [current], 0
                current.rows.append((row_id, row))
                size += len(row) + len(row_id)
    piece = [each for each in piece if each.rows or each.hlc]
    if piece:
        yield piece


def _row_parts(row: bytes, piece_bytes: int) -> Iterator[bytes]:
    """Yield the row, or rows of some of its cells each when it alone is too large.

    A large row is cut between its cells as it lies there: taking it apart at once would hold up
    everybody else. From the first cell that holds more than a plain value on it is decoded.
    """
    if len(row) <= piece_bytes:
        yield row
        return
    tail = b"}]" if row.endswith(b"}]") else row[row.rindex(b'},"') :]
    start = at = len(b"[{")
    stop = len(row) - len(tail)
    while at < stop:
        cell = _plain_cell(row, at, stop)
        if cell is None:
            break
        if at > start and cell.end() - start > piece_bytes:
            yield b"[{%b%b" % (row[start : at - 1], tail)
            start = at
        at = cell.end() + 1
    if at > start:
        yield b"[{%b%b" % (row[start : at - 1], tail)
    if at < stop:
        cells, hlc = decode_row(b"[{%b%b" % (row[at:stop], tail))
        for part in _packed_leaves(cells, piece_bytes):
            yield encode_row(part, hlc)


def _packed_leaves(leaves: Leaves, piece_bytes: int) -> Iterator[Leaves]:
    part: Leaves = {}
    size = 0
    for leaf_id, leaf in leaves.items():
        leaf_size = _leaf_size(leaf_id, leaf)
        if part and size + leaf_size > piece_bytes:
            yield part
            part, size = {}, 0
        part[leaf_id] = leaf
        size += leaf_size
    if part:
        yield part


def _leaf_size(leaf_id: str, leaf: Leaf) -> int:
    return len(dump_json(leaf)) + len(leaf_id) + _LEAF_OVERHEAD_BYTES


def _members(rows: list[tuple[str, bytes]]) -> bytes:
    return b",".join([b"%b:%b" % (dump_json(row_id), row) for row_id, row in rows])


def _stamp(members: bytes, hlc: str) -> bytes:
    return b"[{%b},%b]" % (members, dump_json(hlc)) if hlc else b"[{%b}]" % members
