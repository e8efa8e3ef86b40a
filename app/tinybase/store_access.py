"""Reading and changing a room's TinyBase content from Python.

The methods carry TinyBase's own names in snake_case. A change is broadcast to every client and
stored with the event that made it; several changes inside `with self.transaction():` go out as
one message. When the event raises, all of it is undone with the event.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from . import content
from .edits import Edited, Edits
from .replica import Replica

Tables = Mapping[str, Mapping[str, Mapping[str, Any]]]


class StoreAccess(ABC):
    """The reading and editing half of `TinyBaseRoom`."""

    _edits: Edits | None = None

    @abstractmethod
    def _replica_now(self) -> tuple[Replica, int]:
        """The replica and the wall time in milliseconds; raises Unsupported without a replica."""

    @abstractmethod
    def _edited(self, edited: Edited) -> None:
        """Store and broadcast what a transaction did."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the changes inside one message. A nested one belongs to the outer one.

        There is no rollback of its own: an exception that leaves the event undoes everything,
        one that is caught inside it keeps what was changed before.
        """
        if self._edits is not None:
            yield
            return
        edits = self._edits = Edits(*self._replica_now())
        try:
            yield
        finally:
            self._edits = None
            self._edited(edits.finish())

    def get_tables(self) -> dict[str, content.TableContent]:
        """All tables."""
        return content.get_tables(self._replica_now()[0])

    def get_table(self, table_id: str) -> content.TableContent:
        """One table; empty when there is none."""
        return content.get_table(self._replica_now()[0], table_id)

    def get_row(self, table_id: str, row_id: str) -> content.Row:
        """One row; empty when there is none."""
        return content.get_row(self._replica_now()[0], table_id, row_id)

    def get_cell(self, table_id: str, row_id: str, cell_id: str, default: Any = None) -> Any:
        """One cell, or `default`."""
        return content.get_cell(self._replica_now()[0], table_id, row_id, cell_id, default)

    def get_values(self) -> dict[str, Any]:
        """All values."""
        return content.get_values(self._replica_now()[0])

    def get_value(self, value_id: str, default: Any = None) -> Any:
        """One value, or `default`."""
        return content.get_value(self._replica_now()[0], value_id, default)

    def set_tables(self, tables: Tables) -> None:
        """Make the content have exactly these tables."""
        with self._editing() as edits:
            edits.set_tables(tables)

    def set_table(self, table_id: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Make a table have exactly these rows."""
        with self._editing() as edits:
            edits.set_table(table_id, rows)

    def set_row(self, table_id: str, row_id: str, cells: Mapping[str, Any]) -> None:
        """Make a row have exactly these cells."""
        with self._editing() as edits:
            edits.set_row(table_id, row_id, cells)

    def set_partial_row(self, table_id: str, row_id: str, cells: Mapping[str, Any]) -> None:
        """Set some cells of a row."""
        with self._editing() as edits:
            edits.set_partial_row(table_id, row_id, cells)

    def set_cell(self, table_id: str, row_id: str, cell_id: str, value: Any) -> None:
        """Set one cell: None, str, bool, int, float, list or dict."""
        with self._editing() as edits:
            edits.set_cell(table_id, row_id, cell_id, value)

    def del_tables(self) -> None:
        """Delete every table."""
        with self._editing() as edits:
            edits.del_tables()

    def del_table(self, table_id: str) -> None:
        """Delete one table."""
        with self._editing() as edits:
            edits.del_table(table_id)

    def del_row(self, table_id: str, row_id: str) -> None:
        """Delete one row."""
        with self._editing() as edits:
            edits.del_row(table_id, row_id)

    def del_cell(self, table_id: str, row_id: str, cell_id: str) -> None:
        """Delete one cell."""
        with self._editing() as edits:
            edits.del_cell(table_id, row_id, cell_id)

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Make the content have exactly these values."""
        with self._editing() as edits:
            edits.set_values(values)

    def set_partial_values(self, values: Mapping[str, Any]) -> None:
        """Set some values."""
        with self._editing() as edits:
            edits.set_partial_values(values)

    def set_value(self, value_id: str, value: Any) -> None:
        """Set one value."""
        with self._editing() as edits:
            edits.set_value(value_id, value)

    def del_values(self) -> None:
        """Delete every value."""
        with self._editing() as edits:
            edits.del_values()

    def del_value(self, value_id: str) -> None:
        """Delete one value."""
        with self._editing() as edits:
            edits.del_value(value_id)

    def set_default_content(self, tables: Tables, values: Mapping[str, Any]) -> None:
        """Set content that gives way to anything that was ever written."""
        with self._editing() as edits:
            edits.set_default_content(tables, values)

    @contextmanager
    def _editing(self) -> Iterator[Edits]:
        with self.transaction():
            assert self._edits is not None  # noqa: S101 - `transaction` has just set it
            yield self._edits
