"""SQLite files of TinyBase's persisters, read without trusting them (section 12).

Two layouts: JSON mode, a table with one text, and the fragmented one of Durable Objects, two
tables of nodes. Which one a file has is found by its tables.

The file comes from a stranger. It is opened read-only, nothing in its schema is run (views,
triggers, functions, generated columns), and steps, values and the sum of what is read are
bounded, for a broken file may say that a million rows share the same pages.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from .foreign_json import JSON_BYTES, read_json_text
from .stamps import Leaves

READ_BYTES: Final = 256 << 20
"""The most that is read of one file, in all."""

_STEPS_AT_ONCE: Final = 100_000
_MOST_STEPS: Final = 10_000
_PLAIN_PREFIX: Final = re.compile(r"[a-z0-9_]*")
_SCHEMA: Final = "sqlite_master"
_TABLES: Final = "tinybase_tables"
_VALUES: Final = "tinybase_values"
_TABLES_COLUMNS: Final = ["type", "table_id", "row_id", "cell_id", "value_data", "timestamp"]
_VALUES_COLUMNS: Final = ["value_id", "value_data", "timestamp"]
_ONE_ROW: Final = "_"
_JSON_COLUMNS: Final = 2
_ALLOWED: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})
_WHAT_IT_MAY_BE: Final = "a table of JSON mode, or the prefix of a fragmented layout"

Changes = list[Any]


def read_sqlite(file: Path, source: str) -> str | Changes:
    """Return the JSON text, or the MergeableChanges, that a file holds.

    Args:
        file: The file; what belongs to it beside it (a journal) is not looked for.
        source: The table of JSON mode or the prefix of the fragmented layout; empty when there
            is only one.

    Raises:
        ValueError: It holds neither, or several and none is named.
    """
    try:
        with closing(_open(file)) as connection:
            return _read(_Reader(connection), source)
    except sqlite3.Error as error:
        raise ValueError(f"it is no SQLite file that can be read: {error}") from None


def encoded_prefix(prefix: str) -> str:
    """Return what stands before the names of fragmented tables for a storage prefix."""
    if _PLAIN_PREFIX.fullmatch(prefix):
        return prefix
    units = prefix.encode("utf-16-be", "surrogatepass")
    codes = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return f"$tinybase${''.join(f'${code}' for code in codes)}$"


def _open(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.execute("PRAGMA trusted_schema = 0")
    connection.execute("PRAGMA cell_size_check = 1")
    connection.execute("PRAGMA mmap_size = 0")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, JSON_BYTES)
    connection.set_authorizer(_may)
    steps = iter(range(_MOST_STEPS))
    connection.set_progress_handler(lambda: next(steps, None) is None, _STEPS_AT_ONCE)
    return connection


def _may(action: int, what: str | None, *_more: object) -> int:
    if action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and what == "table_info"):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


class _Reader:
    """Tables of a file, and a bound on what is read of them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._left = READ_BYTES
        self.tables = {_SCHEMA: ["name", "type", "sql"]}
        found = list(self.rows(_SCHEMA, self.tables[_SCHEMA]))
        self.tables = {
            name: self._columns(name)
            for name, kind, sql in found
            if kind == "table" and not str(sql).upper().startswith("CREATE VIRTUAL")
        }

    def rows(self, table: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
        """The rows of a table."""
        missing = [each for each in columns if each not in self.tables[table]]
        if missing:  # SQLite would take the name of a column for a text
            raise ValueError(f"the table {table[:80]!r} has no column {missing[0]!r}")
        wanted = ", ".join(map(_quoted, columns))
        for row in self._connection.execute(f"SELECT {wanted} FROM {_quoted(table)}"):  # noqa: S608 - names are quoted, and come from the schema
            self._left -= sum(len(each) for each in row if isinstance(each, str | bytes))
            if self._left < 0:
                raise ValueError(f"it holds more than {READ_BYTES} bytes")
            yield row

    def _columns(self, table: str) -> list[str]:
        found = self._connection.execute(f"PRAGMA table_info({_quoted(table)})")
        return [column[1] for column in found]


def _read(reader: _Reader, source: str) -> str | Changes:
    prefixes = [
        name.removesuffix(_TABLES)
        for name in reader.tables
        if name.endswith(_TABLES) and name.removesuffix(_TABLES) + _VALUES in reader.tables
    ]
    fragments = {prefix + part for prefix in prefixes for part in (_TABLES, _VALUES)}
    texts = [
        name
        for name, columns in reader.tables.items()
        if name not in fragments and len(columns) == _JSON_COLUMNS
    ]
    if source in texts:
        return _text(reader, source)
    if encoded_prefix(source) in prefixes and (source or not texts):
        return _fragments(reader, encoded_prefix(source))
    if source:
        raise ValueError(f"{source[:80]!r} is neither {_WHAT_IT_MAY_BE}")
    if len(texts) + len(prefixes) != 1:
        names = ", ".join(repr(each[:80]) for each in [*texts, *prefixes][:20]) or "nothing"
        raise ValueError(f"name as the source {_WHAT_IT_MAY_BE}; it has {names}")
    return _text(reader, texts[0]) if texts else _fragments(reader, prefixes[0])


def _text(reader: _Reader, table: str) -> str:
    rows = dict(reader.rows(table, reader.tables[table]))
    if set(rows) != {_ONE_ROW} or not isinstance(rows[_ONE_ROW], str):
        raise ValueError(f"the table {table[:80]!r} holds no content in JSON mode")
    return str(rows[_ONE_ROW])


def _fragments(reader: _Reader, prefix: str) -> Changes:
    tables: dict[str, list[dict[str, list[Leaves]]]] = {}
    whole_rows: set[tuple[str, str]] = set()
    for kind, table_id, row_id, cell_id, data, hlc in reader.rows(
        prefix + _TABLES, _TABLES_COLUMNS
    ):
        if kind != "t" or table_id is None or row_id is None:
            continue
        _check_texts(table_id, row_id, cell_id or "", hlc or "")
        node = _node(data)
        row = tables.setdefault(table_id, [{}])[0].setdefault(row_id, [{}])
        if cell_id is not None:
            if (table_id, row_id) not in whole_rows:
                row[0][cell_id] = [node, hlc or ""]
        elif isinstance(node, dict):
            whole_rows.add((table_id, row_id))
            row[0] = node
    values: Leaves = {}
    for value_id, data, hlc in reader.rows(prefix + _VALUES, _VALUES_COLUMNS):
        if value_id is not None:
            _check_texts(value_id, hlc or "")
            values[value_id] = [_node(data), hlc or ""]
    return [[tables], [values], 1]


def _check_texts(*texts: Any) -> None:
    if not all(isinstance(each, str) for each in texts):
        raise ValueError("an id or timestamp is no text")


def _node(data: Any) -> Any:
    """What `value_data` holds: a JSON array of one element."""
    node = read_json_text(data) if isinstance(data, str) else None
    if not isinstance(node, list) or len(node) != 1:
        raise ValueError("value_data holds no JSON array of one element")
    return node[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
