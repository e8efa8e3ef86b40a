"""Changing a room's TinyBase content from Python: TinyBase's own setters in snake_case.

A change is broadcast to every client and stored with the event that made it; several changes
inside `with self.transaction():` go out as one message. More than 4 MiB at once are too much for
a message: then every client is told to ask for what it lacks. When the event raises, all of it
is undone with the event. In a frozen room every edit raises ObjectFrozen.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..sdk import ObjectFrozen
from ..sdk.json import parse_json
from .edits import Edited, Edits
from .news import Changes, changes_since
from .store_reads import StoreReads

Tables = Mapping[str, Mapping[str, Mapping[str, Any]]]


class StoreTransaction:
    """What `with self.transaction() as transaction:` gives."""

    def __init__(self, edits: Edits) -> None:
        self._edits: Edits | None = edits

    def rollback(self) -> None:
        """Take back what the block has changed so far; it may go on and change more.

        Raises:
            RuntimeError: The block has ended.
        """
        if self._edits is None:
            raise RuntimeError("the transaction has ended")
        self._edits.undo()

    def _end(self) -> None:
        self._edits = None


class StoreAccess(StoreReads):
    """The editing half of `TinyBaseRoom`."""

    _edits: Edits | None = None
    _listens = False
    """Whether the class has an `on_changes` of its own."""
    _reacting = False
    """Whether `on_changes` runs: what it edits is not told to it."""

    @abstractmethod
    def on_changes(self, changes: Changes) -> None:
        """See `TinyBaseRoom.on_changes`."""

    @abstractmethod
    def _is_frozen(self) -> bool:
        """Whether the room takes no changes."""

    @abstractmethod
    def _now_ms(self) -> int:
        """The room's wall time in milliseconds."""

    @abstractmethod
    def _edited(self, edited: Edited) -> None:
        """Store and broadcast what a transaction did."""

    @abstractmethod
    def _new_row_id(self) -> str:
        """An id that nobody else makes."""

    @contextmanager
    def transaction(self) -> Iterator[StoreTransaction]:
        """Make the changes inside one message, or none of them when the block raises.

        Transactions nest: a nested one is undone alone, and what it changed goes out with the
        outer one. Only the store's content is undone, not what was put into `ctx.storage`.
        """
        if self._edits is not None:
            edits = self._edits
            edits.nest()
            try:
                with self._undone_by_errors(edits) as transaction:
                    yield transaction
            finally:
                edits.unnest()
            return
        edits = self._begin_edits()
        try:
            with self._undone_by_errors(edits) as transaction:
                yield transaction
                self._listen(edits)
        finally:
            self._edits = None
        self._edited(edits.finish())

    # -- everything ----------------------------------------------------------------------------

    def set_content(self, tables: Tables, values: Mapping[str, Any]) -> None:
        """Make the content have exactly these tables and values, or none where there are none."""
        with self._editing() as edits:
            if tables:
                edits.set_tables(tables)
            else:
                edits.del_tables()
            if values:
                edits.set_values(values)
            else:
                edits.del_values()

    def set_json(self, tables_and_values: str) -> None:
        """Make the content what a JSON text says, as `get_json` gives it.

        Raises:
            ValueError: It is no JSON of that form.
        """
        match parse_json(tables_and_values):
            case [dict() as tables, dict() as values]:
                self.set_content(tables, values)
            case _:
                raise ValueError("not the JSON of tables and values")

    def set_default_content(self, tables: Tables, values: Mapping[str, Any]) -> None:
        """Set content that gives way to anything that was ever written."""
        with self._editing() as edits:
            edits.set_default_content(tables, values)

    # -- tables, rows and cells ----------------------------------------------------------------

    def set_tables(self, tables: Tables) -> None:
        """Make the content have exactly these tables; without any nothing happens."""
        with self._editing() as edits:
            edits.set_tables(tables)

    def set_table(self, table_id: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Make a table have exactly these rows; without any nothing happens."""
        with self._editing() as edits:
            edits.set_table(table_id, rows)

    def set_row(self, table_id: str, row_id: str, cells: Mapping[str, Any]) -> None:
        """Make a row have exactly these cells; without any nothing happens."""
        with self._editing() as edits:
            edits.set_row(table_id, row_id, cells)

    def add_row(self, table_id: str, cells: Mapping[str, Any]) -> str:
        """Add a row and return its id.

        The id is random, because ids that count up would meet those of clients that are away.
        """
        row_id = self._new_row_id()
        self.set_row(table_id, row_id, cells)
        return row_id

    def set_partial_row(self, table_id: str, row_id: str, cells: Mapping[str, Any]) -> None:
        """Set some cells of a row."""
        with self._editing() as edits:
            edits.set_partial_row(table_id, row_id, cells)

    def set_cell(self, table_id: str, row_id: str, cell_id: str, value: Any) -> None:
        """Set one cell: None, str, bool, int, float, list or dict.

        A function is given the cell (None when there is none) and returns what to set.
        """
        with self._editing() as edits:
            if callable(value):
                value = value(self.get_cell(table_id, row_id, cell_id))
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

    # -- values --------------------------------------------------------------------------------

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Make the content have exactly these values; without any nothing happens."""
        with self._editing() as edits:
            edits.set_values(values)

    def set_partial_values(self, values: Mapping[str, Any]) -> None:
        """Set some values."""
        with self._editing() as edits:
            edits.set_partial_values(values)

    def set_value(self, value_id: str, value: Any) -> None:
        """Set one value: None, str, bool, int, float, list or dict.

        A function is given the value (None when there is none) and returns what to set.
        """
        with self._editing() as edits:
            if callable(value):
                value = value(self.get_value(value_id))
            edits.set_value(value_id, value)

    def del_values(self) -> None:
        """Delete every value."""
        with self._editing() as edits:
            edits.del_values()

    def del_value(self, value_id: str) -> None:
        """Delete one value."""
        with self._editing() as edits:
            edits.del_value(value_id)

    # -- how a transaction runs ----------------------------------------------------------------

    def _begin_edits(self) -> Edits:
        content = self._content()
        if self._is_frozen():
            raise ObjectFrozen  # before anything in memory is altered
        self._edits = Edits(content, self._now_ms())
        return self._edits

    @contextmanager
    def _editing(self) -> Iterator[Edits]:
        with self.transaction():
            assert self._edits is not None  # noqa: S101 - `transaction` has just set it
            yield self._edits

    @contextmanager
    def _undone_by_errors(self, edits: Edits) -> Iterator[StoreTransaction]:
        transaction = StoreTransaction(edits)
        try:
            yield transaction
        except BaseException:
            edits.undo()
            raise
        finally:
            transaction._end()  # noqa: SLF001 - a word between the two halves of one thing

    def _listen(self, edits: Edits) -> None:
        """Let the class react to a transaction of its own, in the same transaction."""
        if self._listens and not self._reacting:
            changes = changes_since(self._content(), edits.former, None)
            if changes is not None:
                self._react(changes)

    def _react(self, changes: Changes) -> None:
        """Let the class react to changes; what it edits is one message, or part of one."""
        self._reacting = True
        try:
            with self.transaction():
                self.on_changes(changes)
        finally:
            self._reacting = False
