"""A replica's content in plain Python values, and in the form with hashes (sections 3.3 and 12).

Objects and arrays are stored as U+FFFD and their JSON text; here they are dicts and lists. Of a
replica only what is visible is read: no deleted leaf, no empty row, no empty table.
"""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, Final

from ..sdk.json import UNDEFINED, JsonError, js_stringify, parse_json
from .hashing import leaf_hash
from .layout import Entry
from .replica import Replica
from .stamps import Leaves, canonical_number, decode_row, hlc_of, newest_in_changes

JSON_PREFIX: Final = "\ufffd"

Row = dict[str, Any]
TableContent = dict[str, Row]


def stored_form(value: Any) -> Any:
    """Return how a value is stored.

    Raises:
        TypeError: It is neither None, str, bool, int, float, list nor dict.
        ValueError: A number is not finite, or the text is the one that means undefined.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value == UNDEFINED:
            raise ValueError("U+FFFC alone means a deleted cell and cannot be stored")
        return value
    if isinstance(value, (int, float)):
        if not isfinite(value):
            raise ValueError("not a finite number")
        return canonical_number(value)
    if isinstance(value, (list, tuple, dict)):
        return JSON_PREFIX + js_stringify(value)
    raise TypeError(f"a cell cannot hold a {type(value).__name__}")


def plain_form(stored: Any) -> Any:
    """Return the value that a stored one stands for; text that only looks like JSON stays."""
    if isinstance(stored, str) and stored.startswith(JSON_PREFIX):
        try:
            return parse_json(stored[len(JSON_PREFIX) :])
        except JsonError:
            return stored
    return stored


def visible(leaves: Leaves) -> dict[str, Any]:
    """Return the leaves that are not deleted, in plain form."""
    return {
        leaf_id: plain_form(leaf[0]) for leaf_id, leaf in leaves.items() if leaf[0] != UNDEFINED
    }


def get_row(replica: Replica, table_id: str, row_id: str) -> Row:
    """Return a row; empty when there is none."""
    return visible(replica.cells(table_id, row_id))


def get_cell(
    replica: Replica, table_id: str, row_id: str, cell_id: str, default: Any = None
) -> Any:
    """Return a cell, or `default` when there is none; a cell may be None."""
    return get_row(replica, table_id, row_id).get(cell_id, default)


def each_row(replica: Replica, table_id: str) -> Iterator[tuple[str, Row]]:
    """Yield the rows of a table, which must not change meanwhile."""
    table = replica.tables.get(table_id)
    if table is not None:
        for row_id, stored in table.rows.items():
            if row := visible(decode_row(stored)[0]):
                yield row_id, row


def get_table(replica: Replica, table_id: str) -> TableContent:
    """Return a table; empty when there is none."""
    return dict(each_row(replica, table_id))


def get_tables(replica: Replica) -> dict[str, TableContent]:
    """Return all tables."""
    tables = ((table_id, get_table(replica, table_id)) for table_id in replica.tables)
    return {table_id: table for table_id, table in tables if table}


def get_table_ids(replica: Replica) -> list[str]:
    """Return the ids of the tables that have a row."""
    return [table_id for table_id in replica.tables if any(each_row(replica, table_id))]


def get_sorted_row_ids(
    replica: Replica,
    table_id: str,
    cell_id: str | None,
    *,
    descending: bool,
    offset: int,
    limit: int | None,
) -> list[str]:
    """Return a table's row ids in the order of a cell, or of the ids themselves.

    Equal ones keep the order of the table. As values of any kind may meet, they are sorted
    within their kind: none, booleans, numbers, text, then lists and dicts as their JSON.
    """
    keys = {
        row_id: _rank(row_id if cell_id is None else row.get(cell_id))
        for row_id, row in each_row(replica, table_id)
    }
    ids = sorted(keys, key=lambda row_id: keys[row_id], reverse=descending)
    return ids[offset:] if limit is None else ids[offset : offset + limit]


def get_value(replica: Replica, value_id: str, default: Any = None) -> Any:
    """Return a value, or `default` when there is none; a value may be None."""
    leaf = replica.values.leaves.get(value_id)
    return default if leaf is None or leaf[0] == UNDEFINED else plain_form(leaf[0])


def get_values(replica: Replica) -> dict[str, Any]:
    """Return all values."""
    return visible(replica.values.leaves)


def export_content(replica: Replica) -> list[Any]:
    """Return the content with hashes: every stamp as `[thing, hlc, hash]`, deletions U+FFFC."""
    tables = {
        table_id: [
            {
                row_id: _hashed_row(row, table.row_hashes()[row_id])
                for row_id, row in table.rows.items()
            },
            table.hlc,
            table.hash(),
        ]
        for table_id, table in replica.tables.items()
    }
    tables_hash, values_hash = replica.content_hashes()
    values = [_hashed(replica.values.leaves), replica.values.hlc, values_hash]
    return [[tables, replica.hlc, tables_hash], values]


def import_content(replica: Replica, content: list[Any], now_ms: int) -> Sequence[Entry]:
    """Merge a content with hashes, whatever the time of its stamps; return what to store.

    The hashes in it are not trusted: tombstones may be missing that they include. Stamps from
    the future are taken, but do not move the clock.

    Raises:
        ValueError: It is not a content with hashes; nothing was merged.
    """
    changes = [*content, 1]
    if newest_in_changes(changes) is None:
        raise ValueError("not a TinyBase content with hashes")
    applied = replica.merge(changes)
    replica.clock.seen(applied.newest, now_ms)
    return applied.entries


def _rank(value: Any) -> tuple[int, Any]:
    """What a value is sorted by."""
    if value is None:
        return 0, 0
    if isinstance(value, bool):
        return 1, value
    if isinstance(value, (int, float)):
        return 2, value
    return (3, value) if isinstance(value, str) else (4, js_stringify(value))


def _hashed_row(row: bytes, row_hash: int) -> list[Any]:
    cells, hlc = decode_row(row)
    return [_hashed(cells), hlc, row_hash]


def _hashed(leaves: Leaves) -> dict[str, list[Any]]:
    return {
        leaf_id: [leaf[0], hlc_of(leaf), leaf_hash(leaf[0], hlc_of(leaf))]
        for leaf_id, leaf in leaves.items()
    }
