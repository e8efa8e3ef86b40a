"""The containers of a replica: a table of rows, and the values (sections 4 and 5.1).

Merging touches bytes only; hashes are computed when somebody asks, and only of members changed
since. What the reference computes along the way and no later state shows is `extra`: a row that
is there but empty (hash 0) adds M(row, 0) to its table at each touch, for ever.
"""

from typing import Any

from .hashing import absent_hash, leaf_hash, leaves_hash, member_hash, text_hash
from .layout import row_entry, table_entry, value_entry
from .stamps import EMPTY_ROW, Leaves, decode_row, encode_row, hlc_of, merge_leaves

_ROW_WEIGHT = 64
"""What a row costs to go through, beside its bytes."""


class Table:
    """A table: rows as bytes.

    Attributes:
        rows: Row id to row bytes; rows never go away.
        hlc: The table's own HLC, empty in what today's clients write.
        extra: See the module.
        filled: Whether any row has a cell or an HLC.
        weight: Bytes of all rows, about, which tells how long it takes to go through them.
        largest: Bytes of the largest row there has been.
    """

    __slots__ = (
        "_hashes",
        "_stale",
        "_sum",
        "extra",
        "filled",
        "hlc",
        "largest",
        "rows",
        "weight",
    )

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.hlc = ""
        self.extra = 0
        self.filled = False
        self.weight = 0
        self.largest = 0
        self._hashes: dict[str, int] = {}
        self._stale: set[str] = set()
        self._sum = 0

    def merge(
        self,
        table_id: str,
        stamp: list[Any],
        entries: list[tuple[str, bytes]],
        won: dict[str, Leaves] | None,
    ) -> str:
        """Merge a TableStamp; add what is to be stored to `entries`, winning leaves to `won`.

        Returns the greatest HLC that counts for the clock.
        """
        newest = ""
        extra = self.extra
        new = not self.rows
        for row_id, row_stamp in stamp[0].items():
            row_won: Leaves | None = None if won is None else {}
            row_newest, row = self._merge_row(row_id, row_stamp, row_won)
            if row is not None:
                entries.append(row_entry(table_id, row_id, row))
            if row_newest > newest:  # noqa: PLR1730 - max() costs twice as much, once a row
                newest = row_newest
            if won is not None and row_won:
                won[row_id] = row_won
        hlc = hlc_of(stamp)
        if hlc > self.hlc or extra != self.extra or (new and not self.rows):
            self.hlc = max(hlc, self.hlc)
            entries.append(table_entry(table_id, self.hlc, self.extra))
        return max(newest, hlc) if hlc else newest

    def put(self, row_id: str, row: bytes) -> None:
        """Take a row as it is."""
        size = len(row)
        before = self.rows.get(row_id)
        self.weight += size + _ROW_WEIGHT if before is None else size - len(before)
        if size > self.largest:  # noqa: PLR1730 - max() costs twice as much, once a row
            self.largest = size
        self.rows[row_id] = row
        self._stale.add(row_id)
        self.filled = self.filled or row != EMPTY_ROW

    def hash(self) -> int:
        """The table's hash."""
        self._refresh()
        return self._sum ^ self.extra ^ (text_hash(self.hlc) if self.hlc else 0)

    def row_hashes(self) -> dict[str, int]:
        """The hashes of all rows; not to be changed."""
        self._refresh()
        return self._hashes

    def _merge_row(
        self, row_id: str, stamp: list[Any], won: Leaves | None
    ) -> tuple[str, bytes | None]:
        """Merge a RowStamp; return the HLC for the clock and the row's bytes if they changed."""
        before = self.rows.get(row_id)
        cells, hlc = ({}, "") if before is None else decode_row(before)
        newest = merge_leaves(cells, stamp[0], won) or ""
        if len(stamp) > 1:
            newest = max(newest, stamp[1])
            hlc = max(hlc, stamp[1])
        row = encode_row(cells, hlc)
        if not cells and not hlc:
            self.extra ^= absent_hash(row_id)
        if row == before:
            return newest, None
        self.put(row_id, row)
        return newest, row

    def _refresh(self) -> None:
        for row_id in self._stale:
            before = self._hashes.get(row_id, 0)
            after = leaves_hash(*decode_row(self.rows[row_id]))
            self._hashes[row_id] = after
            if before:
                self._sum ^= member_hash(row_id, before)
            if after:
                self._sum ^= member_hash(row_id, after)
        self._stale.clear()


class Values:
    """The values: leaves in memory, for they are few."""

    __slots__ = ("_hashes", "_stale", "_sum", "hlc", "leaves")

    def __init__(self) -> None:
        self.leaves: Leaves = {}
        self.hlc = ""
        self._hashes: dict[str, int] = {}
        self._stale: set[str] = set()
        self._sum = 0

    def merge(self, stamp: list[Any], entries: list[tuple[str, bytes]], won: Leaves | None) -> str:
        """Merge a ValuesStamp as `Table.merge` does; its HLC is left to the root's node."""
        mine: Leaves = {} if won is None else won
        newest = merge_leaves(self.leaves, stamp[0], mine) or ""
        for value_id, leaf in mine.items():
            self._stale.add(value_id)
            entries.append(value_entry(value_id, leaf))
        if len(stamp) > 1:
            newest = max(newest, stamp[1])
            self.hlc = max(self.hlc, stamp[1])
        return newest

    def put(self, value_id: str, leaf: list[Any]) -> None:
        """Take a leaf as it is."""
        self.leaves[value_id] = leaf
        self._stale.add(value_id)

    def hash(self) -> int:
        """The hash of all values."""
        self._refresh()
        return self._sum ^ (text_hash(self.hlc) if self.hlc else 0)

    def value_hashes(self) -> dict[str, int]:
        """The hashes of all values; not to be changed."""
        self._refresh()
        return self._hashes

    def _refresh(self) -> None:
        for value_id in self._stale:
            before = self._hashes.get(value_id)
            leaf = self.leaves[value_id]
            after = leaf_hash(leaf[0], hlc_of(leaf))
            self._hashes[value_id] = after
            self._sum ^= absent_hash(value_id) if before is None else member_hash(value_id, before)
            self._sum ^= member_hash(value_id, after)
        self._stale.clear()
