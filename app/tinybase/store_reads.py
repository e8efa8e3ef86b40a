"""Reading a room's TinyBase content from Python: TinyBase's own getters in snake_case.

What is returned is a copy in plain values; objects and arrays of cells are dicts and lists.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from ..sdk.json import js_stringify
from . import content
from .replica import Replica

_NONE: Any = object()


class StoreReads(ABC):
    """The reading half of `TinyBaseRoom`."""

    @abstractmethod
    def _content(self) -> Replica:
        """The replica; raises Unsupported in a room without one."""

    def get_content(self) -> tuple[dict[str, content.TableContent], dict[str, Any]]:
        """All tables and all values."""
        return self.get_tables(), self.get_values()

    def get_json(self) -> str:
        """All tables and all values as TinyBase's `getJson` prints them."""
        return js_stringify(list(self.get_content()))

    def get_mergeable_content(self) -> list[Any]:
        """Everything with its stamps and hashes, deletions included, as a client saves it."""
        return content.export_content(self._content())

    def get_mergeable_content_hashes(self) -> tuple[int, int]:
        """The hashes of all tables and of all values, to be compared with a client's."""
        return self._content().content_hashes()

    # -- tables, rows and cells ----------------------------------------------------------------

    def get_tables(self) -> dict[str, content.TableContent]:
        """All tables."""
        return content.get_tables(self._content())

    def get_table_ids(self) -> list[str]:
        """The ids of all tables."""
        return content.get_table_ids(self._content())

    def get_table(self, table_id: str) -> content.TableContent:
        """One table; empty when there is none."""
        return content.get_table(self._content(), table_id)

    def get_table_cell_ids(self, table_id: str) -> list[str]:
        """The ids of all cells that some row of a table has."""
        return list({each: None for _, row in self.each_row(table_id) for each in row})

    def get_row_count(self, table_id: str) -> int:
        """How many rows a table has."""
        return sum(1 for _ in self.each_row(table_id))

    def get_row_ids(self, table_id: str) -> list[str]:
        """The ids of a table's rows, in the order in which the server met them."""
        return [row_id for row_id, _ in self.each_row(table_id)]

    def get_sorted_row_ids(
        self,
        table_id: str,
        cell_id: str | None = None,
        *,
        descending: bool = False,
        offset: int = 0,
        limit: int | None = None,
    ) -> list[str]:
        """The ids of a table's rows in the order of a cell, or of the ids without `cell_id`.

        Values of different kinds are sorted apart: none, booleans, numbers, text, the rest.
        """
        return content.get_sorted_row_ids(
            self._content(), table_id, cell_id, descending=descending, offset=offset, limit=limit
        )

    def each_row(self, table_id: str) -> Iterator[tuple[str, content.Row]]:
        """Iterate over the ids and rows of a table, one at a time.

        A large table is never built as a whole. It must not be edited before the end; go
        through `get_row_ids` to do that.
        """
        return content.each_row(self._content(), table_id)

    def get_row(self, table_id: str, row_id: str) -> content.Row:
        """One row; empty when there is none."""
        return content.get_row(self._content(), table_id, row_id)

    def get_cell_ids(self, table_id: str, row_id: str) -> list[str]:
        """The ids of a row's cells."""
        return list(self.get_row(table_id, row_id))

    def get_cell(self, table_id: str, row_id: str, cell_id: str, default: Any = None) -> Any:
        """One cell, or `default` when there is none; a cell may be None."""
        return content.get_cell(self._content(), table_id, row_id, cell_id, default)

    def has_tables(self) -> bool:
        """Whether there is any table."""
        return any(self.has_table(table_id) for table_id in self._content().tables)

    def has_table(self, table_id: str) -> bool:
        """Whether there is that table."""
        return any(self.each_row(table_id))

    def has_table_cell(self, table_id: str, cell_id: str) -> bool:
        """Whether any row of a table has that cell."""
        return any(cell_id in row for _, row in self.each_row(table_id))

    def has_row(self, table_id: str, row_id: str) -> bool:
        """Whether there is that row."""
        return bool(self.get_row(table_id, row_id))

    def has_cell(self, table_id: str, row_id: str, cell_id: str) -> bool:
        """Whether there is that cell."""
        return cell_id in self.get_row(table_id, row_id)

    # -- values --------------------------------------------------------------------------------

    def get_values(self) -> dict[str, Any]:
        """All values."""
        return content.get_values(self._content())

    def get_value_ids(self) -> list[str]:
        """The ids of all values."""
        return list(self.get_values())

    def get_value(self, value_id: str, default: Any = None) -> Any:
        """One value, or `default` when there is none; a value may be None."""
        return content.get_value(self._content(), value_id, default)

    def has_values(self) -> bool:
        """Whether there is any value."""
        return bool(self.get_values())

    def has_value(self, value_id: str) -> bool:
        """Whether there is that value."""
        return self.get_value(value_id, _NONE) is not _NONE
