"""Rows and leaves in memory, and the rule by which a leaf wins (sections 3.2, 5.2 and 5.5).

A leaf is a list `[value]` or `[value, hlc]`, as on the wire. A row is bytes: its wire form
`[{"cell":[value,"hlc"],...}]`, or with the row's own HLC behind. Numbers are stored in one form:
an integer where a double of that value is one, else a float.
"""

from math import isfinite
from typing import Any, Final

from ..sdk.json import MAX_SAFE_INTEGER, dump_json, parse_json
from .clock import is_full_hlc
from .turns import ROWS_A_TURN, give_way

EMPTY_ROW: Final = b"[{}]"
"""A row without cells and HLC: there, but hashing to 0."""

Leaf = list[Any]
Leaves = dict[str, Leaf]

_HASHED = 3
_MARKED = 3
_ROW_LEVEL = 1
_TABLES_LEVEL = 3
_NUMBERS = frozenset({int, float})


def decode_row(row: bytes) -> tuple[Leaves, str]:
    """Return the cells and the HLC of a row's bytes."""
    stamp = parse_json(row)
    return stamp[0], stamp[1] if len(stamp) > 1 else ""


def encode_row(cells: Leaves, hlc: str) -> bytes:
    """Return a row's bytes.

    They are kept for long, so they are copied: what the JSON printer returns is short, but sits
    in the 4 KiB that it allocated.
    """
    return b"%b" % dump_json([cells, hlc] if hlc else [cells])


def hlc_of(leaf: Leaf) -> str:
    """Return a leaf's HLC, empty for default data."""
    hlc: str = leaf[1] if len(leaf) > 1 else ""
    return hlc


def canonical_number(number: Any) -> Any:
    """Return the one form in which a double is kept.

    Any stands for `int | float`, which compiled code must not take for a float.
    """
    if type(number) is int:
        if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
            return number
        number = float(number)
    if number.is_integer() and -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
        return int(number)
    return number


def merge_leaves(stored: Leaves, incoming: Leaves, won: Leaves | None) -> str | None:
    """Let the incoming leaves that win replace the stored ones.

    One wins over a leaf that is missing or has no HLC, and over one with a smaller HLC. Winners
    are also put into `won`, if given. Returns the greatest HLC of the winners, None without any.
    """
    newest: str | None = None
    for leaf_id, leaf in incoming.items():
        hlc = leaf[1] if len(leaf) > 1 else ""
        mine = stored.get(leaf_id)
        if mine is not None and len(mine) > 1 and hlc <= mine[1]:
            continue
        value = leaf[0]
        if type(value) in _NUMBERS:
            value = canonical_number(value)
        winner = [value, hlc] if hlc else [value]
        stored[leaf_id] = winner
        if won is not None:
            won[leaf_id] = winner
        if newest is None or hlc > newest:
            newest = hlc
    return newest


def newest_in_changes(changes: Any) -> str | None:
    """Return the greatest HLC in MergeableChanges, or None when a stamp in it is not valid.

    This is the shape of the second gate, which takes stamps with a hash too; the limit on the
    time is left to the clock.
    """
    if type(changes) is not list or len(changes) != _MARKED:
        return None
    newest = _newest(changes[0], _TABLES_LEVEL)
    values_newest = _newest(changes[1], _ROW_LEVEL)
    if newest is None or values_newest is None:
        return None
    return max(newest, values_newest)


def _newest(stamp: Any, level: int) -> str | None:
    """The greatest HLC of a stamp whose thing is nested `level` containers deep."""
    if not _is_stamp(stamp):
        return None
    newest: str = stamp[1] if len(stamp) > 1 else ""
    if level == 0:
        return newest
    if type(stamp[0]) is not dict:
        return None
    count = 0
    for child in stamp[0].values():
        child_newest = _newest(child, level - 1)
        if child_newest is None:
            return None
        newest = max(newest, child_newest)
        count += 1  # noqa: SIM113 - compiled code goes through a dict faster without enumerate()
        if not count & ROWS_A_TURN:
            give_way()
    return newest


def _is_stamp(stamp: Any) -> bool:
    """Whether it is `[thing]`, `[thing, hlc]` or `[thing, hlc, hash]`."""
    if type(stamp) is not list or not 1 <= len(stamp) <= _HASHED:
        return False
    hlc = stamp[1] if len(stamp) > 1 else ""
    if type(hlc) is not str or (hlc and is_full_hlc(hlc) is None):
        return False
    return len(stamp) < _HASHED or _is_finite(stamp[2])


def _is_finite(value: Any) -> bool:
    return type(value) in _NUMBERS and isfinite(value)
