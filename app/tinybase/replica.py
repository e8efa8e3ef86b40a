"""One copy of a room's content: a CRDT that merges in any order (section 5).

Nothing is ever removed; a deletion is a leaf whose value is undefined. The replica decides by
stamps alone; wall time is passed in and used only to refuse what comes from the future.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..sdk.json import parse_json
from .cell_change import CellChange
from .clock import Clock
from .former import Former, altered, leaves_of
from .hashing import absent_hash, leaf_hash, member_hash, text_hash
from .layout import (
    Entry,
    Kind,
    Splitter,
    Stored,
    plain_row_entry,
    root_entry,
    row_entry,
    table_entry,
    value_entry,
)
from .stamps import Leaves, hlc_of, newest_in_changes
from .table import Table, Values

ContentHashes = tuple[int, int]


class Applied(NamedTuple):
    """What a merge did; a tuple, because one is made for every change.

    Attributes:
        entries: What to store, in one commit; empty when no stamp changed.
        newest: The greatest HLC that counts for the clock.
    """

    entries: Sequence[Entry]
    newest: str


class Replica:
    """See the module.

    Attributes:
        clock: The replica's hybrid logical clock.
        tables: Table id to table.
        values: The values.
        hlc: The HLC of all tables together, empty in what today's clients write.
        largest_row: Bytes of the largest row there has been.
    """

    __slots__ = ("_extra", "_splitter", "clock", "hlc", "largest_row", "tables", "values")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.tables: dict[str, Table] = {}
        self.values = Values()
        self.hlc = ""
        self.largest_row = 0
        self._extra = 0
        self._splitter = Splitter()

    def apply(
        self,
        changes: Any,
        now_ms: int,
        *,
        newest: str | None = None,
        former: Former | None = None,
    ) -> Applied | None:
        """Merge MergeableChanges at once, or return None and merge nothing (section 5.5).

        Refused are changes with an invalid stamp and those with one too far in the future.
        `newest` is the greatest HLC in changes that were checked before, by the first gate.
        `former` is told what was there before.
        """
        if newest is None:
            newest = newest_in_changes(changes)
            if newest is None:
                return None
        if not self.clock.accepts(newest, now_ms):
            return None
        applied = self.merge(changes, former)
        self.clock.observe(applied.newest, now_ms)
        return applied

    def set_cell(self, change: CellChange, now_ms: int) -> Sequence[Entry]:
        """Do what `apply` does with the same change as MergeableChanges; return what to store."""
        table_id, row_id, cell_id, leaf, hlc = change
        clock = self.clock
        if not clock.accepts(hlc, now_ms):
            return ()
        table = self.tables.get(table_id)
        if table is None:
            table = self.tables[table_id] = Table()
        row = table.set_cell(row_id, cell_id, leaf.encode())
        if row is None:
            clock.observe("", now_ms)
            return ()
        clock.observe(hlc, now_ms)
        if table.largest > self.largest_row:  # noqa: PLR1730 - max() costs twice as much
            self.largest_row = table.largest
        return self._splitter.split((plain_row_entry(table_id, row_id, row),))

    def merge(self, changes: Any, former: Former | None = None) -> Applied:
        """Merge changes that are known to be valid, whatever their time; the clock stays."""
        entries: list[tuple[str, bytes]] = []
        newest = self._merge(changes, entries, former)
        return Applied(self._splitter.split(entries), newest)

    def alter(self, changes: Any, former: Former) -> None:
        """Merge changes of rows and values alone that may be taken back by `restore`.

        Whoever does not take them back stores `entries_since(former)`.
        """
        self._merge(changes, [], former)

    def restore(self, former: Former) -> None:
        """Take back what was altered since; the clock stays."""
        for table_id, rows in former.rows.items():
            self.tables[table_id].restore(rows)
        for table_id in former.new_tables:
            del self.tables[table_id]
        self.values.restore(former.values)

    def entries_since(self, former: Former) -> Sequence[Entry]:
        """What to store of the rows and values that were altered since."""
        tables = self.tables
        entries = [
            row_entry(table_id, row_id, tables[table_id].rows[row_id])
            for table_id, row_id, _ in former
        ]
        entries += [value_entry(each, self.values.leaves[each]) for each in former.values]
        return self._splitter.split(entries)

    def altered_since(self, former: Former) -> tuple[dict[str, dict[str, Leaves]], Leaves]:
        """The leaves that are not as they were: cells by table and row, and values."""
        tables: dict[str, dict[str, Leaves]] = {}
        for table_id, row_id, before in former:
            if leaves := altered(leaves_of(before), self.cells(table_id, row_id)):
                tables.setdefault(table_id, {})[row_id] = leaves
        before_values = {each: leaf for each, leaf in former.values.items() if leaf is not None}
        now_values = {each: self.values.leaves[each] for each in former.values}
        return tables, altered(before_values, now_values)

    def load(self, stored: Iterable[tuple[str, bytes]]) -> None:
        """Take the content from storage, given in key order, at once or in several calls.

        The replica was empty before the first one. The pieces of a payload come in one call.

        Raises:
            ValueError: The entries are not of this layout.
        """
        for entry in self._splitter.join(stored):
            self._load_entry(entry)

    def stored(self) -> Sequence[Entry]:
        """Return everything there is to store, as if nothing were stored yet."""
        entries: list[tuple[str, bytes]] = [self._root_entry()]
        for table_id, table in self.tables.items():
            entries.append(table_entry(table_id, table.hlc, table.extra))
            entries += [row_entry(table_id, row_id, row) for row_id, row in table.rows.items()]
        entries += [value_entry(each, leaf) for each, leaf in self.values.leaves.items()]
        return self._splitter.split(entries)

    @property
    def extra(self) -> int:
        """The part of the tables' hash that no table shows; see `table`."""
        return self._extra

    def content_hashes(self) -> ContentHashes:
        """The hashes of all tables and of all values."""
        return (self.tables_hash(), self.values.hash())

    def tables_hash(self) -> int:
        """The hash of all tables together."""
        result = self._extra ^ (text_hash(self.hlc) if self.hlc else 0)
        for table_id, own in self.table_hashes().items():
            if own:
                result ^= member_hash(table_id, own)
        return result

    def table_hashes(self) -> dict[str, int]:
        """The hash of each table: the question GetTableDiff."""
        return {table_id: table.hash() for table_id, table in self.tables.items()}

    def forget_text(self) -> None:
        """Keep no text of whole tables any longer for those who ask next."""
        for table in self.tables.values():
            table.forget_blocks()

    def cells(self, table_id: str, row_id: str) -> Leaves:
        """The leaves of a row, deleted ones too; none when there is no such row."""
        table = self.tables.get(table_id)
        return leaves_of(None if table is None else table.rows.get(row_id))

    def cell_hashes(self, table_id: str, row_id: str) -> dict[str, int]:
        """The hash of each cell of a row."""
        cells = self.cells(table_id, row_id)
        return {cell_id: leaf_hash(leaf[0], hlc_of(leaf)) for cell_id, leaf in cells.items()}

    def _merge(self, changes: Any, entries: list[tuple[str, bytes]], former: Former | None) -> str:
        newest = ""
        if changes[0][0] or len(changes[0]) > 1:
            newest = self._merge_tables(changes[0], entries, former)
        if changes[1][0] or len(changes[1]) > 1:
            newest = max(newest, self._merge_values(changes[1], entries, former))
        return newest

    def _merge_tables(
        self, stamp: list[Any], entries: list[tuple[str, bytes]], former: Former | None
    ) -> str:
        newest = ""
        extra = self._extra
        for table_id, table_stamp in stamp[0].items():
            table = self.tables.get(table_id)
            if table is None:
                table = self.tables[table_id] = Table()
                if former is not None:
                    former.new_tables.add(table_id)
            newest = max(newest, table.merge(table_id, table_stamp, entries, former))
            if table.largest > self.largest_row:  # noqa: PLR1730 - max() costs twice as much
                self.largest_row = table.largest
            if not table.filled and not table.hash():
                self._extra ^= absent_hash(table_id)
        hlc = hlc_of(stamp)
        if hlc > self.hlc or extra != self._extra:
            self.hlc = max(hlc, self.hlc)
            entries.append(self._root_entry())
        return max(newest, hlc)

    def _merge_values(
        self, stamp: list[Any], entries: list[tuple[str, bytes]], former: Former | None
    ) -> str:
        hlc = self.values.hlc
        newest = self.values.merge(stamp, entries, former)
        if self.values.hlc != hlc:
            entries.append(self._root_entry())
        return newest

    def _root_entry(self) -> tuple[str, bytes]:
        return root_entry(self.hlc, self._extra, self.values.hlc)

    def _load_entry(self, entry: Stored) -> None:
        if entry.kind is Kind.ROOT:
            self.hlc, self._extra, self.values.hlc = parse_json(entry.payload)
        elif entry.kind is Kind.VALUE:
            self.values.put(entry.ids[0], parse_json(entry.payload))
        else:
            table = self.tables.setdefault(entry.ids[0], Table())
            if entry.kind is Kind.ROW:
                table.put(entry.ids[1], entry.payload)
                self.largest_row = max(self.largest_row, table.largest)
            else:
                table.hlc, table.extra = parse_json(entry.payload)
