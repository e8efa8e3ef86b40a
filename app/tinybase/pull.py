"""Getting from one peer what it has and the replica lacks (section 5.8).

A pull asks one question at a time, each narrowing down where the two contents differ, and gives
everything received as one change at the end. It knows neither time nor message ids.
"""

from enum import Enum
from typing import Any, Final, NamedTuple

from ..sdk.json import dump_json
from .bodies import (
    GET_CELL_DIFF,
    GET_CONTENT_HASHES,
    GET_ROW_DIFF,
    GET_TABLE_DIFF,
    GET_VALUE_DIFF,
    check_content_hashes,
    check_row_pair,
    check_table_pair,
    check_tables,
    check_values,
)
from .refusals import Malformed
from .replica import Replica
from .stamps import merge_leaves


class Question(NamedTuple):
    """A message type and its body as JSON text."""

    kind: int
    body: bytes


class PullState(Enum):
    """What the pull waits for."""

    NEW = "new"
    CONTENT_HASHES = "content_hashes"
    TABLES = "tables"
    ROWS = "rows"
    CELLS = "cells"
    VALUES = "values"
    DONE = "done"


TRANSITIONS: Final[dict[PullState, frozenset[PullState]]] = {
    PullState.NEW: frozenset(
        {PullState.CONTENT_HASHES, PullState.TABLES, PullState.VALUES, PullState.DONE}
    ),
    PullState.CONTENT_HASHES: frozenset({PullState.TABLES, PullState.VALUES, PullState.DONE}),
    PullState.TABLES: frozenset({PullState.ROWS, PullState.VALUES, PullState.DONE}),
    PullState.ROWS: frozenset({PullState.CELLS, PullState.VALUES, PullState.DONE}),
    PullState.CELLS: frozenset({PullState.VALUES, PullState.DONE}),
    PullState.VALUES: frozenset({PullState.DONE}),
    PullState.DONE: frozenset(),
}


class Pull:
    """One pull from one peer.

    `theirs` are the peer's content hashes, or None to ask for them first.
    """

    def __init__(self, replica: Replica, theirs: list[float] | None) -> None:
        self._replica = replica
        self._theirs = theirs
        self._tables: dict[str, list[Any]] = {}
        self._tables_hlc = ""
        self._values: list[Any] = [{}, ""]
        self.state = PullState.NEW

    def begin(self) -> Question | None:
        """Return the first question, or None when there is nothing to ask."""
        if self._theirs is None:
            return self._ask(PullState.CONTENT_HASHES, GET_CONTENT_HASHES, "")
        return self._ask_tables()

    def answered(self, body: Any) -> Question | None:
        """Take the answer to the last question; return the next one, or None at the end.

        Raises:
            Malformed: The answer is none to that question.
        """
        match self.state:
            case PullState.CONTENT_HASHES:
                check_content_hashes(body)
                self._theirs = body
                return self._ask_tables()
            case PullState.TABLES:
                check_table_pair(body)
                self._take_tables(body[0])
                return self._ask_rows(body[1])
            case PullState.ROWS:
                check_row_pair(body)
                self._take_tables(body[0])
                return self._ask_cells(body[1])
            case PullState.CELLS:
                check_tables(body)
                self._take_tables(body)
                return self._ask_values()
            case PullState.VALUES:
                check_values(body)
                self._values = [body[0], body[1] if len(body) > 1 else ""]
                self._move(PullState.DONE)
                return None
            case PullState.NEW | PullState.DONE:
                raise Malformed

    def changes(self) -> list[Any]:
        """Return everything received, as MergeableChanges."""
        return [[self._tables, self._tables_hlc], self._values, 1]

    def _ask_tables(self) -> Question | None:
        if self._theirs is not None and self._theirs[0] != self._replica.tables_hash():
            return self._ask(PullState.TABLES, GET_TABLE_DIFF, self._replica.table_hashes())
        return self._ask_values()

    def _ask_rows(self, differing: dict[str, float]) -> Question | None:
        if not differing:
            return self._ask_values()
        return self._ask(PullState.ROWS, GET_ROW_DIFF, row_hashes(self._replica, differing))

    def _ask_cells(self, differing: dict[str, dict[str, float]]) -> Question | None:
        if not differing:
            return self._ask_values()
        return self._ask(PullState.CELLS, GET_CELL_DIFF, cell_hashes(self._replica, differing))

    def _ask_values(self) -> Question | None:
        values = self._replica.values
        if self._theirs is not None and self._theirs[1] != values.hash():
            return self._ask(PullState.VALUES, GET_VALUE_DIFF, values.value_hashes())
        self._move(PullState.DONE)
        return None

    def _ask(self, state: PullState, kind: int, body: Any) -> Question:
        self._move(state)
        return Question(kind, dump_json(body))

    def _move(self, state: PullState) -> None:
        if state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"a pull cannot go from {self.state} to {state}")
        self.state = state

    def _take_tables(self, stamp: list[Any]) -> None:
        """Add a TablesStamp to what was received; the greatest HLC of a container wins."""
        self._tables_hlc = _later(self._tables_hlc, stamp)
        for table_id, table_stamp in stamp[0].items():
            table = self._tables.setdefault(table_id, [{}, ""])
            table[1] = _later(table[1], table_stamp)
            for row_id, row_stamp in table_stamp[0].items():
                row = table[0].setdefault(row_id, [{}, ""])
                row[1] = _later(row[1], row_stamp)
                merge_leaves(row[0], row_stamp[0], None)


def row_hashes(replica: Replica, differing: dict[str, float]) -> dict[str, dict[str, int]]:
    """The question GetRowDiff: own row hashes of the tables that differ from the peer's."""
    result: dict[str, dict[str, int]] = {}
    for table_id, theirs in differing.items():
        table = replica.tables.get(table_id)
        if table is not None and table.rows and table.hash() != theirs:
            result[table_id] = table.row_hashes()
    return result


def cell_hashes(
    replica: Replica, differing: dict[str, dict[str, float]]
) -> dict[str, dict[str, dict[str, int]]]:
    """The question GetCellDiff: own cell hashes of the rows that differ from the peer's."""
    result: dict[str, dict[str, dict[str, int]]] = {}
    for table_id, rows in differing.items():
        table = replica.tables.get(table_id)
        if table is None:
            continue
        mine = table.row_hashes()
        for row_id, theirs in rows.items():
            if row_id in mine and mine[row_id] != theirs:
                hashes = replica.cell_hashes(table_id, row_id)
                if hashes:
                    result.setdefault(table_id, {})[row_id] = hashes
    return result


def _later(hlc: str, stamp: list[Any]) -> str:
    return max(hlc, stamp[1]) if len(stamp) > 1 else hlc
