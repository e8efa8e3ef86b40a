"""The containers of a replica: a table of rows, and the values (sections 4 and 5.1).

Merging touches bytes only; hashes are computed when somebody asks, and only of members changed
since. What the reference computes along the way and no later state shows is `extra`: a row that
is there but empty (hash 0) adds M(row, 0) to its table at each touch, for ever.
"""

from collections.abc import Mapping
from typing import Any

from .blocks import BLOCK_BYTES, Blocks, encode_members
from .former import Former
from .hashing import absent_hash, leaf_hash, leaves_hash, member_hash, text_hash
from .layout import row_entry, table_entry, value_entry
from .row_bytes import with_cell
from .stamps import EMPTY_ROW, Leaf, Leaves, decode_row, encode_row, hlc_of, merge_leaves
from .turns import ROWS_A_TURN, give_way

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
        "_blocks",
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
        self._blocks: Blocks | None = None
        self._hashes: dict[str, int] = {}
        self._stale: dict[str, None] = {}  # an empty set is three times as large
        self._sum = 0

    def merge(
        self,
        table_id: str,
        stamp: list[Any],
        entries: list[tuple[str, bytes]],
        former: Former | None,
    ) -> str:
        """Merge a TableStamp; add what is to be stored to `entries`, what was to `former`.

        Returns the greatest HLC that counts for the clock.
        """
        newest = ""
        extra = self.extra
        new = not self.rows
        count = 0
        for row_id, row_stamp in stamp[0].items():
            before = self.rows.get(row_id)
            row_newest, row = self._merge_row(row_id, row_stamp, before)
            if row is not None:
                entries.append(row_entry(table_id, row_id, row))
                if former is not None:
                    former.rows.setdefault(table_id, {}).setdefault(row_id, before)
            if row_newest > newest:  # noqa: PLR1730 - max() costs twice as much, once a row
                newest = row_newest
            count += 1  # noqa: SIM113 - compiled code goes through a dict faster without enumerate()
            if not count & ROWS_A_TURN:
                give_way()
        hlc = hlc_of(stamp)
        if hlc > self.hlc or extra != self.extra or (new and not self.rows):
            self.hlc = max(hlc, self.hlc)
            entries.append(table_entry(table_id, self.hlc, self.extra))
        return max(newest, hlc) if hlc else newest

    def set_cell(self, row_id: str, cell_id: str, leaf: bytes) -> bytes | None:
        """Merge one leaf; return the row's bytes, or None if what is there is not older.

        For ids and leaves see `row_bytes.with_cell`.
        """
        before = self.rows.get(row_id, EMPTY_ROW)
        row = with_cell(before, cell_id, leaf)
        if row is before:
            return None
        self.put(row_id, row)
        return row

    def put(self, row_id: str, row: bytes) -> None:
        """Take a row as it is."""
        size = len(row)
        before = self.rows.get(row_id)
        self.weight += size + _ROW_WEIGHT if before is None else size - len(before)
        if size > self.largest:  # noqa: PLR1730 - max() costs twice as much, once a row
            self.largest = size
        self.rows[row_id] = row
        self._stale[row_id] = None
        self.filled = self.filled or row != EMPTY_ROW

    def restore(self, rows: Mapping[str, bytes | None]) -> None:
        """Put rows back as they were; those that were not there go away."""
        count = 0
        for row_id, row in rows.items():
            if row is None:
                self._drop(row_id)
            else:
                self.put(row_id, row)
            count += 1  # noqa: SIM113 - compiled code goes through a dict faster without enumerate()
            if not count & ROWS_A_TURN:
                give_way()
        self.filled = any(row != EMPTY_ROW for row in self.rows.values())

    def hash(self) -> int:
        """The table's hash."""
        self._refresh()
        return self._sum ^ self.extra ^ (text_hash(self.hlc) if self.hlc else 0)

    def row_hashes(self) -> dict[str, int]:
        """The hashes of all rows; not to be changed."""
        self._refresh()
        return self._hashes

    @property
    def unhashed(self) -> int:
        """How many rows the next question for hashes has to hash."""
        return len(self._stale)

    @property
    def rows_to_encode(self) -> int:
        """How many rows the next `text_blocks` has to encode, beside those not hashed yet."""
        return len(self.rows) if self._blocks is None else self._blocks.rows_to_encode(self.rows)

    def text_blocks(self) -> tuple[bytes, ...]:
        """All rows as members of a JSON object, in blocks; many are kept for the next who asks."""
        self._refresh()
        if self.weight < BLOCK_BYTES:
            return (encode_members(self.rows.items()),) if self.rows else ()
        if self._blocks is None:
            self._blocks = Blocks()
        return self._blocks.texts(self.rows)

    def forget_blocks(self) -> None:
        """Keep no text of the rows any longer."""
        self._blocks = None

    def _merge_row(
        self, row_id: str, stamp: list[Any], before: bytes | None
    ) -> tuple[str, bytes | None]:
        """Merge a RowStamp; return the HLC for the clock and the row's bytes if they changed."""
        cells, hlc = ({}, "") if before is None else decode_row(before)
        newest = merge_leaves(cells, stamp[0], None) or ""
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

    def _drop(self, row_id: str) -> None:
        self._blocks = None
        self.weight -= len(self.rows.pop(row_id)) + _ROW_WEIGHT
        self._stale.pop(row_id, None)
        hashed = self._hashes.pop(row_id, 0)
        if hashed:
            self._sum ^= member_hash(row_id, hashed)

    def _refresh(self) -> None:
        if self._blocks is not None:
            self._blocks.changed(self._stale)
        count = 0
        for row_id in self._stale:
            before = self._hashes.get(row_id, 0)
            after = leaves_hash(*decode_row(self.rows[row_id]))
            self._hashes[row_id] = after
            if before:
                self._sum ^= member_hash(row_id, before)
            if after:
                self._sum ^= member_hash(row_id, after)
            count += 1  # noqa: SIM113 - compiled code goes through a dict faster without enumerate()
            if not count & ROWS_A_TURN:
                give_way()
        self._stale.clear()


class Values:
    """The values: leaves in memory, for they are few."""

    __slots__ = ("_hashes", "_stale", "_sum", "hlc", "leaves")

    def __init__(self) -> None:
        self.leaves: Leaves = {}
        self.hlc = ""
        self._hashes: dict[str, int] = {}
        self._stale: dict[str, None] = {}  # an empty set is three times as large
        self._sum = 0

    def merge(
        self, stamp: list[Any], entries: list[tuple[str, bytes]], former: Former | None
    ) -> str:
        """Merge a ValuesStamp as `Table.merge` does; its HLC is left to the root's node."""
        won: Leaves = {}
        if former is not None:
            for value_id in stamp[0]:
                former.values.setdefault(value_id, self.leaves.get(value_id))
        newest = merge_leaves(self.leaves, stamp[0], won) or ""
        for value_id, leaf in won.items():
            self._stale[value_id] = None
            entries.append(value_entry(value_id, leaf))
        if len(stamp) > 1:
            newest = max(newest, stamp[1])
            self.hlc = max(self.hlc, stamp[1])
        return newest

    def put(self, value_id: str, leaf: Leaf) -> None:
        """Take a leaf as it is."""
        self.leaves[value_id] = leaf
        self._stale[value_id] = None

    def restore(self, leaves: Mapping[str, Leaf | None]) -> None:
        """Put values back as they were; those that were not there go away."""
        for value_id, leaf in leaves.items():
            if leaf is not None:
                self.put(value_id, leaf)
            elif self.leaves.pop(value_id, None) is not None:
                self._stale.pop(value_id, None)
                hashed = self._hashes.pop(value_id, None)
                if hashed is not None:
                    self._sum ^= absent_hash(value_id) ^ member_hash(value_id, hashed)

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
