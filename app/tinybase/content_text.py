"""Parts of a replica's visible content as JSON text, up to a size.

Rows are printed one by one, so a large room is never a tree of Python values as a whole.
"""

from collections.abc import Iterable, Iterator, Sequence

from ..sdk.json import dump_json
from .content import each_row, get_row, get_table_ids, get_value, get_values
from .replica import Replica

Members = Iterable[tuple[str, Iterable[bytes]]]

_NONE = object()
_UTF8_MAX = 4


def content_text(replica: Replica, path: Sequence[str], limit_bytes: int) -> str | None:
    """Return the text of a part, or None when there is none.

    What is longer than the limit ends a little behind it and is no JSON.
    """
    pieces = _part(replica, path)
    if pieces is None:
        return None
    text = bytearray()  # not a list of pieces: millions are let go in one long step
    for piece in pieces:
        text += piece
        if len(text) > limit_bytes:
            break
    return cut(text, limit_bytes)


def cut(text: bytes | bytearray, limit_bytes: int) -> str:
    """Return a text, only a little more than the limit of one that is longer."""
    if len(text) <= limit_bytes:
        return text.decode()
    return text[: limit_bytes + _UTF8_MAX].decode("utf-8", "ignore")


def _part(replica: Replica, path: Sequence[str]) -> Iterable[bytes] | None:
    match list(path):
        case []:
            return _object([("tables", _tables(replica)), ("values", [_values(replica)])])
        case ["tables"]:
            return _tables(replica)
        case ["tables", table_id]:
            return _table(replica, table_id) if any(each_row(replica, table_id)) else None
        case ["tables", table_id, row_id]:
            row = get_row(replica, table_id, row_id)
            return [dump_json(row)] if row else None
        case ["tables", table_id, row_id, cell_id]:
            row = get_row(replica, table_id, row_id)
            return [dump_json(row[cell_id])] if cell_id in row else None
        case ["values"]:
            return [_values(replica)]
        case ["values", value_id]:
            value = get_value(replica, value_id, _NONE)
            return None if value is _NONE else [dump_json(value)]
    return None


def _tables(replica: Replica) -> Iterator[bytes]:
    return _object((each, _table(replica, each)) for each in get_table_ids(replica))


def _table(replica: Replica, table_id: str) -> Iterator[bytes]:
    return _object((row_id, [dump_json(row)]) for row_id, row in each_row(replica, table_id))


def _values(replica: Replica) -> bytes:
    return dump_json(get_values(replica))


def _object(members: Members) -> Iterator[bytes]:
    yield b"{"
    for at, (name, value) in enumerate(members):
        yield b"%b%b:" % (b"," if at else b"", dump_json(name))
        yield from value
    yield b"}"
