"""What a room's content was and has become: what `TinyBaseRoom.on_changes` is told.

Only what can be seen counts: a newer stamp on an equal value is no change, and neither is a
deletion of what was not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .content import visible
from .former import Former, leaves_of
from .replica import Replica
from .stamps import Leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """A row that is not what it was.

    Attributes:
        table_id: The table's id.
        row_id: The row's id.
        old: The whole row before; empty when there was none.
        new: The whole row as the change left it; empty when there is none any more.
    """

    table_id: str
    row_id: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]

    @property
    def added(self) -> bool:
        """Whether there was no such row before."""
        return not self.old

    @property
    def deleted(self) -> bool:
        """Whether there is no such row any more."""
        return not self.new

    @property
    def cell_ids(self) -> list[str]:
        """The cells that were added, changed or deleted, in the order of the row."""
        new = [each for each, value in self.new.items() if _other(self.old, each, value)]
        return new + [each for each in self.old if each not in self.new]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """A value that is not what it was.

    Attributes:
        value_id: The value's id.
        old: What it was; None when there was none (or when it was None).
        new: What it is; None when there is none any more (or when it is None).
        added: Whether there was none before.
        deleted: Whether there is none any more.
    """

    value_id: str
    old: Any
    new: Any
    added: bool
    deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What one message of a client, one pull from it, or one transaction in Python changed.

    Attributes:
        client_id: Whose connection it came over; None when it was made in Python. What a client
            brings when it comes back may have been written by others.
        rows: The rows that are not what they were.
        values: The values that are not what they were.
    """

    client_id: str | None
    rows: tuple[RowChange, ...]
    values: tuple[ValueChange, ...]

    def in_table(self, table_id: str, cell_id: str | None = None) -> list[RowChange]:
        """The rows of one table; with `cell_id` only those where that cell is not what it was."""
        return [
            row
            for row in self.rows
            if row.table_id == table_id
            and (cell_id is None or _other(row.old, cell_id, row.new.get(cell_id, _ABSENT)))
        ]


def changes_since(replica: Replica, former: Former, client_id: str | None) -> Changes | None:
    """Return what can be seen to have changed since, or None when nothing can."""
    rows = [
        RowChange(table_id=table_id, row_id=row_id, old=old, new=new)
        for table_id, row_id, before in former
        if not _equal(
            old := visible(leaves_of(before)),
            new := visible(replica.cells(table_id, row_id)),
        )
    ]
    values = _values_since(former, replica.values.leaves)
    if not rows and not values:
        return None
    return Changes(client_id=client_id, rows=tuple(rows), values=tuple(values))


_ABSENT: Any = object()


def _values_since(former: Former, leaves: Leaves) -> list[ValueChange]:
    before = {each: leaf for each, leaf in former.values.items() if leaf is not None}
    old, new = visible(before), visible({each: leaves[each] for each in former.values})
    return [
        ValueChange(
            value_id=each,
            old=old.get(each),
            new=new.get(each),
            added=each not in old,
            deleted=each not in new,
        )
        for each in former.values
        if _other(old, each, new.get(each, _ABSENT))
    ]


def _equal(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return old.keys() == new.keys() and not any(_other(old, *each) for each in new.items())


def _other(old: Mapping[str, Any], leaf_id: str, new: Any) -> bool:
    """Whether a leaf has another value than before; True is not 1, in a list neither."""
    before = old.get(leaf_id, _ABSENT)
    if type(before) is not type(new):
        return True
    return repr(before) != repr(new) if isinstance(new, list | dict) else bool(before != new)
