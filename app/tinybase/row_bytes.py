"""Setting one cell of a row that is bytes, without taking the row apart.

A row without nested values and escapes is changed where its cell stands; what this costs does
not grow with the number of cells. Any other row is decoded and encoded again. Both give the same
bytes (the property tests compare them).

Why the search is safe: a row with a single `{` is a single object, so a quote, the id, a quote
and a colon are a key of it, provided that the first quote opens a text. A quote inside a text is
escaped, so with `{` or a comma before it, it opens or closes one. Behind one that closes stands a
comma, a bracket or a colon, so an id that begins with one of these is looked for by decoding.
"""

from typing import Final

from ..sdk.json import parse_json
from .stamps import EMPTY_ROW, decode_row, encode_row, merge_leaves

_QUOTE: Final = ord('"')
_OPENING: Final = b"[{"
_BEFORE_KEY: Final = b"{,"
_BEHIND_TEXT: Final = (",", ":", "]", "}")
_HLC_AND_QUOTE: Final = 17


def with_cell(row: bytes, cell_id: str, leaf: bytes) -> bytes:
    """Return a row with a leaf `[value,"hlc"]`; the row itself if its own leaf is not older.

    `cell_id` is one that JSON prints as it is, and `leaf` is as `dump_json` prints it.
    """
    if row == EMPTY_ROW:
        return b'[{"%b":%b}]' % (cell_id.encode(), leaf)
    if row.count(b"{") == 1 and not cell_id.startswith(_BEHIND_TEXT):
        key = b'"%b":[' % cell_id.encode()
        at = row.find(key)
        if at < 0:
            if row.endswith(b"}]"):
                return b"%b,%b%b}]" % (row[:-2], key[:-1], leaf)
        elif row[at - 1] in _BEFORE_KEY:
            start = at + len(key)
            end = _end_of_value(row, start)
            hlc_at = end + 2
            rest = hlc_at + _HLC_AND_QUOTE + 1
            if row[end:hlc_at] == b',"' and row[rest - 2 : rest] == b'"]':
                if leaf[-18:-2] <= row[hlc_at : rest - 2]:
                    return row
                return b"%b%b%b" % (row[: start - 1], leaf, row[rest:])
    return _decoded_with_cell(row, cell_id, leaf)


def _end_of_value(row: bytes, start: int) -> int:
    """Where the plain value at `start` ends; the end of the row for one that is not plain."""
    first = row[start]
    if first == _QUOTE:
        end = row.find(b'"', start + 1) + 1
        return end if row.find(b"\\", start, end) < 0 else len(row)
    if first in _OPENING:
        return len(row)
    end = row.find(b",", start)
    return end if end > 0 and row.find(b"]", start, end) < 0 else len(row)


def _decoded_with_cell(row: bytes, cell_id: str, leaf: bytes) -> bytes:
    cells, hlc = decode_row(row)
    if merge_leaves(cells, {cell_id: parse_json(leaf)}, None) is None:
        return row
    return encode_row(cells, hlc)
