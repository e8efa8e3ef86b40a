"""What the body of a message must look like: the second half of the first gate (section 6).

A check returns the greatest HLC that the body carries, or the empty text, so that the second
gate (section 5.5) costs one comparison. U+FFFC stays in memory as it is and stands for
`undefined`: a value of a cell may be that, nothing else may, and every other place refuses it
anyway because it takes no text of one character.

Nothing is checked about a cell's value: every JSON value is one, and the parser refuses numbers
that are not finite.
"""

from collections.abc import Callable
from typing import Any, Final

from .clock import is_full_hlc
from .refusals import Malformed
from .turns import ROWS_A_TURN, give_way

RESPONSE: Final = 0
GET_CONTENT_HASHES: Final = 1
CONTENT_HASHES: Final = 2
CONTENT_DIFF: Final = 3
GET_TABLE_DIFF: Final = 4
GET_ROW_DIFF: Final = 5
GET_CELL_DIFF: Final = 6
GET_VALUE_DIFF: Final = 7

_HASH_END = 1 << 32
_PAIR = 2
_MARKED = 3
"""Elements of a ContentDiff that a replica takes: the third one marks it as changes."""


def check_body(kind: int, body: Any) -> str:
    """Return the greatest HLC of a message body (for ContentDiff; else the empty text).

    Raises:
        Malformed: The body does not fit the kind, or the kind is unknown.
    """
    check = _CHECKS.get(kind)
    if check is None:
        raise Malformed
    return check(body)


def check_changes(body: Any) -> str:
    """Check MergeableChanges, with or without the mark; return the greatest HLC."""
    if type(body) is not list:
        raise Malformed
    if len(body) == _MARKED:
        mark = body[2]
        if mark != 1 or type(mark) is bool:
            raise Malformed
    elif len(body) != _PAIR:
        raise Malformed
    newest = check_tables(body[0])
    values_newest = check_values(body[1])
    return values_newest if values_newest > newest else newest  # noqa: FURB136 - hot path


def check_tables(stamp: Any) -> str:
    """Check a TablesStamp; return the greatest HLC in it."""
    newest, tables = _open(stamp, "")
    for table_stamp in tables.values():
        newest, rows = _open(table_stamp, newest)
        count = 0
        for row_stamp in rows.values():
            newest, cells = _open(row_stamp, newest)
            newest = _check_leaves(cells, newest)
            count += 1  # noqa: SIM113 - compiled code goes through a dict faster without enumerate()
            if not count & ROWS_A_TURN:
                give_way()
    return newest


def check_values(stamp: Any) -> str:
    """Check a ValuesStamp; return the greatest HLC in it."""
    newest, values = _open(stamp, "")
    return _check_leaves(values, newest) if values else newest


def check_hashes(body: Any) -> str:
    """Check an object of hashes."""
    if type(body) is not dict:
        raise Malformed
    for value in body.values():
        _check_hash(value)
    return ""


def check_table_pair(body: Any) -> str:
    """Check the answer to GetTableDiff; return the greatest HLC in it."""
    if type(body) is not list or len(body) != _PAIR:
        raise Malformed
    check_hashes(body[1])
    return check_tables(body[0])


def check_row_pair(body: Any) -> str:
    """Check the answer to GetRowDiff; return the greatest HLC in it."""
    if type(body) is not list or len(body) != _PAIR:
        raise Malformed
    _check_row_hashes(body[1])
    return check_tables(body[0])


def check_content_hashes(body: Any) -> str:
    """Check `[tablesHash, valuesHash]`."""
    if type(body) is not list or len(body) != _PAIR:
        raise Malformed
    _check_hash(body[0])
    _check_hash(body[1])
    return ""


def _check_response(body: Any) -> str:
    """A Response fits when it could answer any question."""
    for check in _ANSWERS:
        try:
            check(body)
        except Malformed:
            continue
        return ""
    raise Malformed


def _check_empty(body: Any) -> str:
    if type(body) is not str or body:
        raise Malformed
    return ""


def _check_row_hashes(body: Any) -> str:
    if type(body) is not dict:
        raise Malformed
    for rows in body.values():
        check_hashes(rows)
    return ""


def _check_cell_hashes(body: Any) -> str:
    if type(body) is not dict:
        raise Malformed
    for rows in body.values():
        _check_row_hashes(rows)
    return ""


def _check_hash(value: Any) -> None:
    kind = type(value)
    if (kind is not int and not (kind is float and value.is_integer())) or not (
        0 <= value < _HASH_END
    ):
        raise Malformed


def _open(stamp: Any, newest: str) -> tuple[str, dict[str, Any]]:
    """Return the greater of `newest` and a container's own HLC, and its members."""
    if type(stamp) is not list or not stamp:
        raise Malformed
    members = stamp[0]
    if type(members) is not dict:
        raise Malformed
    if len(stamp) == 1:
        return newest, members
    if len(stamp) != _PAIR:
        raise Malformed
    hlc = stamp[1]
    if type(hlc) is not str or (hlc and is_full_hlc(hlc) is None):
        raise Malformed
    return max(newest, hlc), members


def _check_leaves(leaves: dict[str, Any], newest: str) -> str:
    for leaf in leaves.values():
        if type(leaf) is not list:
            raise Malformed
        if len(leaf) == _PAIR:
            hlc = leaf[1]
            if type(hlc) is not str or (hlc and is_full_hlc(hlc) is None):
                raise Malformed
            if hlc > newest:  # noqa: PLR1730 - max() costs twice as much, once a cell
                newest = hlc
        elif len(leaf) != 1:
            raise Malformed
    return newest


_ANSWERS: Final = (
    check_content_hashes,
    check_tables,
    check_values,
    check_table_pair,
    check_row_pair,
)

_CHECKS: Final[dict[int, Callable[[Any], str]]] = {
    RESPONSE: _check_response,
    GET_CONTENT_HASHES: _check_empty,
    CONTENT_HASHES: check_content_hashes,
    CONTENT_DIFF: check_changes,
    GET_TABLE_DIFF: check_hashes,
    GET_ROW_DIFF: _check_row_hashes,
    GET_CELL_DIFF: _check_cell_hashes,
    GET_VALUE_DIFF: check_hashes,
}
