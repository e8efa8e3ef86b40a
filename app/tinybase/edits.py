"""Changes made on the server itself (section 5.6).

Every leaf that is really altered gets an HLC of its own, in the order of alteration; setting an
equal value alters nothing. What one transaction altered becomes one ContentDiff. An edit takes
effect in the replica at once and can be taken back until the transaction ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..sdk.json import UNDEFINED
from .changes import changes_body, rows_of
from .content import stored_form
from .former import Former
from .layout import Entry
from .replica import Replica
from .stamps import Leaf, Leaves, decode_row, hlc_of


class ClockBehind(RuntimeError):
    """A stored change lies so far in the future that no new one can follow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What a transaction did.

    Attributes:
        entries: What to store.
        body: The ContentDiff for all clients, None when nothing was altered.
    """

    entries: Sequence[Entry]
    body: bytes | None


class Edits:
    """One transaction at a wall time in milliseconds, with nested ones inside.

    As in TinyBase, setting an empty row or table does nothing, and values that no cell can hold
    are refused (`TypeError`, `ValueError`; see `content.stored_form`) before anything of that
    call is altered. Every method may raise `ClockBehind`.
    """

    def __init__(self, replica: Replica, now_ms: int) -> None:
        self._replica = replica
        self._now = now_ms
        self._formers = [Former()]

    @property
    def former(self) -> Former:
        """What the innermost open transaction has altered."""
        return self._formers[-1]

    def nest(self) -> None:
        """Open a transaction inside the innermost one."""
        self._formers.append(Former())

    def unnest(self) -> None:
        """End the innermost transaction: what it altered belongs to the one around it."""
        former = self._formers.pop()
        self.former.absorb(former)

    def undo(self) -> None:
        """Take back what the innermost transaction has altered so far; it stays open."""
        self._replica.restore(self.former)
        self._formers[-1] = Former()

    def set_cell(self, table_id: str, row_id: str, cell_id: str, value: Any) -> None:
        """Set one cell."""
        self.set_partial_row(table_id, row_id, {cell_id: value})

    def set_partial_row(self, table_id: str, row_id: str, cells: Mapping[str, Any]) -> None:
        """Set some cells of a row."""
        self._set_row(table_id, row_id, _stored_all(cells), replace=False)

    def set_row(self, table_id: str, row_id: str, cells: Mapping[str, Any]) -> None:
        """Make a row have exactly these cells."""
        self._set_row(table_id, row_id, _stored_all(cells), replace=bool(cells))

    def set_table(self, table_id: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Make a table have exactly these rows."""
        self._set_table(table_id, _stored_rows(rows))

    def set_tables(self, tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        """Make the content have exactly these tables."""
        stored = {table_id: _stored_rows(rows) for table_id, rows in tables.items()}
        if not any(stored.values()):
            return
        for table_id, rows in stored.items():
            self._set_table(table_id, rows)
        for table_id in list(self._replica.tables):
            if not stored.get(table_id):
                self.del_table(table_id)

    def del_cell(self, table_id: str, row_id: str, cell_id: str) -> None:
        """Delete one cell."""
        if cell_id in self._replica.cells(table_id, row_id):
            self._set_row(table_id, row_id, {cell_id: UNDEFINED}, replace=False)

    def del_row(self, table_id: str, row_id: str) -> None:
        """Delete every cell of a row."""
        self._set_row(table_id, row_id, {}, replace=True)

    def del_table(self, table_id: str) -> None:
        """Delete every row of a table."""
        for row_id in self._row_ids(table_id):
            self.del_row(table_id, row_id)

    def del_tables(self) -> None:
        """Delete every table."""
        for table_id in list(self._replica.tables):
            self.del_table(table_id)

    def set_value(self, value_id: str, value: Any) -> None:
        """Set one value."""
        self._set_values({value_id: stored_form(value)})

    def set_partial_values(self, values: Mapping[str, Any]) -> None:
        """Set some values."""
        self._set_values(_stored_all(values))

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Make the content have exactly these values."""
        stored = _stored_all(values)
        self._set_values(stored)
        if stored:
            self._del_values(stored)

    def del_value(self, value_id: str) -> None:
        """Delete one value."""
        if value_id in self._replica.values.leaves:
            self._set_values({value_id: UNDEFINED})

    def del_values(self) -> None:
        """Delete every value."""
        self._del_values({})

    def set_default_content(
        self, tables: Mapping[str, Mapping[str, Mapping[str, Any]]], values: Mapping[str, Any]
    ) -> None:
        """Set content without HLC: it never overrides anything that was written."""
        stored_tables = {
            table_id: {row_id: _stored_all(cells) for row_id, cells in rows.items()}
            for table_id, rows in tables.items()
        }
        stored_values = _stored_all(values)
        for table_id, rows in stored_tables.items():
            for row_id, cells in rows.items():
                mine = self._replica.cells(table_id, row_id)
                self._merge_row(table_id, row_id, _defaults(mine, cells))
        self._merge_values(_defaults(self._replica.values.leaves, stored_values))

    def become(self, other: Replica) -> None:
        """Make the visible content what is visible in another replica, whatever its stamps."""
        mine = self._replica
        for table_id, table in other.tables.items():
            for row_id, row in table.rows.items():
                self._set_row(table_id, row_id, _seen(decode_row(row)[0]), replace=True)
        for table_id in list(mine.tables):
            theirs = other.tables.get(table_id)
            for row_id in self._row_ids(table_id):
                if theirs is None or row_id not in theirs.rows:
                    self.del_row(table_id, row_id)
        values = _seen(other.values.leaves)
        self._set_values(values)
        self._del_values(values)

    def write(self, leaves: Mapping[tuple[str, ...], Leaf]) -> None:
        """Put leaves where they belong, by table, row and cell or by value, as they are."""
        rows: dict[tuple[str, str], Leaves] = {}
        values: Leaves = {}
        for place, leaf in leaves.items():
            if len(place) > 1:
                rows.setdefault((place[0], place[1]), {})[place[2]] = leaf
            else:
                values[place[0]] = leaf
        for (table_id, row_id), cells in rows.items():
            self._merge_row(table_id, row_id, cells)
        self._merge_values(values)

    def finish(self) -> Edited:
        """Return what the transaction did; it is over."""
        if not self.former:
            return Edited(entries=[], body=None)
        tables, values = self._replica.altered_since(self.former)
        return Edited(
            entries=self._replica.entries_since(self.former),
            body=changes_body(rows_of(tables), values),
        )

    def _set_table(self, table_id: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
        if not rows:
            return
        for row_id, cells in rows.items():
            self._set_row(table_id, row_id, cells, replace=True)
        for row_id in self._row_ids(table_id):
            if row_id not in rows:
                self.del_row(table_id, row_id)

    def _set_row(
        self, table_id: str, row_id: str, cells: Mapping[str, Any], *, replace: bool
    ) -> None:
        mine = self._replica.cells(table_id, row_id)
        changed = self._altered(mine, cells)
        if replace:
            changed |= self._altered(mine, _deletions(mine, cells))
        self._merge_row(table_id, row_id, changed)

    def _set_values(self, values: Mapping[str, Any]) -> None:
        self._merge_values(self._altered(self._replica.values.leaves, values))

    def _del_values(self, but: Mapping[str, Any]) -> None:
        self._set_values(_deletions(self._replica.values.leaves, but))

    def _altered(self, mine: Leaves, wanted: Mapping[str, Any]) -> Leaves:
        """New leaves for what differs from what is stored."""
        return {
            leaf_id: [value, self._next(mine.get(leaf_id))]
            for leaf_id, value in wanted.items()
            if not _holds(mine.get(leaf_id), value)
        }

    def _next(self, mine: Leaf | None) -> str:
        """A new HLC that beats the stored leaf."""
        stored = "" if mine is None else hlc_of(mine)
        clock = self._replica.clock
        hlc = clock.next(self._now)
        if hlc <= stored:
            clock.seen(stored, self._now)
            hlc = clock.next(self._now)
            if hlc <= stored:
                raise ClockBehind
        return hlc

    def _merge_row(self, table_id: str, row_id: str, leaves: Leaves) -> None:
        if leaves:
            self._replica.alter([[{table_id: [{row_id: [leaves]}]}], [{}], 1], self.former)

    def _merge_values(self, leaves: Leaves) -> None:
        if leaves:
            self._replica.alter([[{}], [leaves], 1], self.former)

    def _row_ids(self, table_id: str) -> list[str]:
        table = self._replica.tables.get(table_id)
        return [] if table is None else list(table.rows)


def _stored_all(values: Mapping[str, Any]) -> dict[str, Any]:
    return {each: stored_form(value) for each, value in values.items()}


def _stored_rows(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows that have a cell; one without is no row."""
    return {row_id: _stored_all(cells) for row_id, cells in rows.items() if cells}


def _seen(leaves: Leaves) -> dict[str, Any]:
    """The stored values that are not deleted."""
    return {leaf_id: leaf[0] for leaf_id, leaf in leaves.items() if leaf[0] != UNDEFINED}


def _deletions(mine: Leaves, but: Mapping[str, Any]) -> dict[str, Any]:
    """What to delete of the visible leaves so that only those of `but` stay."""
    return {
        leaf_id: UNDEFINED
        for leaf_id, leaf in mine.items()
        if leaf_id not in but and leaf[0] != UNDEFINED
    }


def _defaults(mine: Leaves, wanted: Mapping[str, Any]) -> Leaves:
    """Leaves without HLC, where nothing was written and the default is another one."""
    return {
        leaf_id: [value]
        for leaf_id, value in wanted.items()
        if not hlc_of(mine.get(leaf_id, [UNDEFINED])) and not _holds(mine.get(leaf_id), value)
    }


def _holds(leaf: Leaf | None, value: Any) -> bool:
    """Whether a leaf has that stored value; True is not 1."""
    mine = UNDEFINED if leaf is None else leaf[0]
    return type(mine) is type(value) and bool(mine == value)
