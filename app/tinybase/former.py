"""What a replica held before: enough to tell what has changed since, and to take it back.

One is filled while changes are merged. It keeps the first state of each row and value that was
altered, and nothing of what was not.
"""

from collections.abc import Iterator

from .stamps import Leaf, Leaves, decode_row
from .turns import ROWS_A_TURN, give_way


class Former:
    """See the module.

    Attributes:
        rows: Table id to row id to the row's bytes, None for a row that is new.
        values: Value id to its leaf, None for a value that is new.
        new_tables: The tables that are new.
    """

    __slots__ = ("new_tables", "rows", "values")

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, bytes | None]] = {}
        self.values: dict[str, Leaf | None] = {}
        self.new_tables: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self.rows or self.values)

    def __iter__(self) -> Iterator[tuple[str, str, bytes | None]]:
        """Each altered row: its table, its id, and its bytes before."""
        count = 0
        for table_id, rows in self.rows.items():
            for row_id, before in rows.items():
                yield table_id, row_id, before
                count += 1
                if not count & ROWS_A_TURN:
                    give_way()

    def absorb(self, later: "Former") -> None:
        """Take in what was altered after this: where both know something, this is the older."""
        for table_id, row_id, before in later:
            self.rows.setdefault(table_id, {}).setdefault(row_id, before)
        for value_id, leaf in later.values.items():
            self.values.setdefault(value_id, leaf)
        self.new_tables |= later.new_tables


def altered(before: Leaves, now: Leaves) -> Leaves:
    """Return the leaves of `now` that are not as they were, stamps and deletions included."""
    return {leaf_id: leaf for leaf_id, leaf in now.items() if _differs(before.get(leaf_id), leaf)}


def leaves_of(row: bytes | None) -> Leaves:
    """Return the cells of a row, or none where there is no row."""
    return {} if row is None else decode_row(row)[0]


def _differs(before: Leaf | None, now: Leaf) -> bool:
    """Whether a leaf is another one; True is not 1."""
    return before != now or type(before[0]) is not type(now[0])
