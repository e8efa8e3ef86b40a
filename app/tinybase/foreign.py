"""Contents as other TinyBase servers and clients keep them, taken in (section 12).

Either kind becomes pieces of JSON text for the room: content with stamps stays MergeableChanges,
so that clients which hold the same content find equal hashes; plain content is an object of
tables and values, and gets stamps of its own. Hashes in a file are not believed: they are
computed again, because a tombstone that they count may be missing.

Files are read here, beside the event loop; nothing else of this package but the room does I/O.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..sdk.content import Upload
from ..sdk.json import dump_json
from .changes import TableRows, changes_body, changes_in_pieces
from .clock import ALPHABET, Clock
from .content import get_tables, get_values, stored_form
from .content_export import CONTENT
from .content_patch import problem_of
from .foreign_json import read_json_file, read_json_text
from .foreign_kv import read_key_values
from .foreign_sqlite import read_sqlite
from .replica import Replica
from .stamps import Leaves, newest_in_changes

KEY_VALUES: Final = "kv"
SQLITE: Final = "sqlite"
IMPORT_FORMATS: Final = (CONTENT, KEY_VALUES, SQLITE)

_NOBODY: Final = ALPHABET[0] * 5
_PAIR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainContent:
    """Content without stamps: tables of rows of cells, and values."""

    tables: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def read_foreign(file: Path, upload: Upload, piece_bytes: int) -> Iterator[str]:
    """Yield a file's content in pieces of at most about `piece_bytes`, at least one.

    Raises:
        ValueError: It is not of that format; the text says why.
    """
    content = _read(file, upload)
    if isinstance(content, Replica) and upload.restamp:
        content = PlainContent(tables=get_tables(content), values=get_values(content))
    pieces = (
        _stamped_pieces(content, piece_bytes)
        if isinstance(content, Replica)
        else _plain_pieces(content, piece_bytes)
    )
    return (piece.decode() for piece in pieces)


def replica_of(changes: Any) -> Replica:
    """Return a replica that holds just these changes, whatever their time.

    Objects and arrays in cells may be given as such, as `getMergeableContent` gives them; they
    are hashed and stored as their text (section 3.3).

    Raises:
        ValueError: They are no MergeableChanges.
    """
    if newest_in_changes(changes) is None:
        raise ValueError("it is no content with stamps: a stamp in it is not valid")
    for leaves in _all_leaves(changes):
        for leaf in leaves.values():
            if isinstance(leaf[0], list | dict):
                leaf[0] = stored_form(leaf[0])
    replica = Replica(Clock(_NOBODY))
    replica.merge(changes)
    return replica


def _all_leaves(changes: Any) -> Iterator[Leaves]:
    tables, values = changes[0][0], changes[1][0]
    for table in tables.values():
        for row in table[0].values():
            yield row[0]
    yield values


def _read(file: Path, upload: Upload) -> Replica | PlainContent:
    if upload.format == CONTENT:
        return _content_of(read_json_file(file))
    if upload.format == KEY_VALUES:
        return replica_of(read_key_values(file, upload.source))
    if upload.format == SQLITE:
        found = read_sqlite(file, upload.source)
        return _content_of(read_json_text(found)) if isinstance(found, str) else replica_of(found)
    raise ValueError(f"it must be one of {', '.join(IMPORT_FORMATS)}")


def _content_of(content: Any) -> Replica | PlainContent:
    """Plain or stamped content: `[tables, values]`, or ours as the admin plane gives it."""
    if isinstance(content, dict):
        plain = content
    elif not isinstance(content, list) or len(content) != _PAIR:
        raise ValueError("it is neither [tables, values] nor a content with stamps")
    elif all(isinstance(part, list) for part in content):
        return replica_of([*content, 1])
    else:
        plain = {"tables": content[0], "values": content[1]}
    problem = problem_of([], plain, patch=False)
    if problem is not None:
        raise ValueError(problem)
    return PlainContent(tables=plain.get("tables", {}), values=plain.get("values", {}))


def _stamped_pieces(replica: Replica, piece_bytes: int) -> Iterator[bytes]:
    tables = [
        TableRows(table_id, table.hlc, list(table.rows.items()))
        for table_id, table in replica.tables.items()
    ]
    values = replica.values.leaves
    whole = changes_body(tables, values)
    return (
        iter([whole])
        if len(whole) <= piece_bytes
        else changes_in_pieces(tables, values, piece_bytes)
    )


def _plain_pieces(content: PlainContent, piece_bytes: int) -> Iterator[bytes]:
    """The whole, or rows and values packed until a piece is full."""
    piece: dict[str, Any] = {}
    size = 0
    for path, leaf in _parts(content):
        added = len(dump_json(leaf)) + sum(map(len, path))
        if piece and size + added > piece_bytes:
            yield dump_json(piece)
            piece, size = {}, 0
        inner = piece
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
        inner[path[-1]] = leaf
        size += added
    yield dump_json(piece)


def _parts(content: PlainContent) -> Iterator[tuple[list[str], Any]]:
    """Each row and each value with its path."""
    for table_id, rows in content.tables.items():
        for row_id, cells in rows.items():
            yield ["tables", table_id, row_id], cells
    for value_id, value in content.values.items():
        yield ["values", value_id], value
