"""Edits in nested transactions, some of them taken back, against plain dicts."""

from contextlib import suppress
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.sdk.json import parse_json
from app.tinybase.content import export_content
from app.tinybase.edits import Edited
from app.tinybase.news import Changes
from app.tinybase.replica import Replica
from app.tinybase.store_access import StoreAccess
from tests.property.tinybase.strategies import unhurried
from tests.unit.tinybase.replicas import NOW, Disk, replica

_IDS = st.sampled_from(["a", "b"])
_VALUES = st.sampled_from([None, True, 1, "x", [1], {"k": True}])
_EDIT = st.one_of(
    st.tuples(st.just("set_cell"), _IDS, _IDS, _IDS, _VALUES),
    st.tuples(st.just("set_row"), _IDS, _IDS, st.dictionaries(_IDS, _VALUES)),
    st.tuples(st.just("del_cell"), _IDS, _IDS, _IDS),
    st.tuples(st.just("del_row"), _IDS, _IDS),
    st.tuples(st.just("del_table"), _IDS),
    st.tuples(st.just("set_value"), _IDS, _VALUES),
    st.tuples(st.just("del_value"), _IDS),
    st.tuples(st.just("rollback")),
)
_BLOCKS = st.recursive(
    st.lists(_EDIT, max_size=6),
    lambda block: st.tuples(st.lists(st.one_of(_EDIT, block), max_size=6), st.booleans()),
    max_leaves=8,
)


class _Store(StoreAccess):
    """A store without a room: its disk, a peer that hears its messages, and what it was told."""

    def __init__(self) -> None:
        self.replica = replica()
        self.disk = Disk()
        self.peer = replica()
        self.told: list[Changes] = []
        self._listens = True

    def on_changes(self, changes: Changes) -> None:
        self.told.append(changes)

    def _content(self) -> Replica:
        return self.replica

    def _is_frozen(self) -> bool:
        return False

    def _now_ms(self) -> int:
        return NOW

    def _new_row_id(self) -> str:
        raise NotImplementedError

    def _edited(self, edited: Edited) -> None:
        self.disk.write(edited.entries)
        if edited.body is not None:
            assert self.peer.apply(parse_json(edited.body), NOW) is not None


class _Model:
    """The same in dicts: what is there, and the states that are gone back to."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.values: dict[str, Any] = {}

    def state(self) -> tuple[Any, Any]:
        return deepcopy(self.tables), deepcopy(self.values)

    def restore(self, state: tuple[Any, Any]) -> None:
        self.tables, self.values = deepcopy(state)

    def edit(self, name: str, *arguments: Any) -> None:
        if name == "set_value":
            self.values[arguments[0]] = arguments[1]
        elif name == "del_value":
            self.values.pop(arguments[0], None)
        elif name == "del_table":
            self.tables.pop(arguments[0], None)
        else:
            self._edit_row(name, *arguments)
        self.tables = {
            table_id: rows
            for table_id, table in self.tables.items()
            if (rows := {row_id: row for row_id, row in table.items() if row})
        }

    def _edit_row(self, name: str, table_id: str, row_id: str, *arguments: Any) -> None:
        row = self.tables.setdefault(table_id, {}).setdefault(row_id, {})
        if name == "set_cell":
            row[arguments[0]] = arguments[1]
        elif name == "del_cell":
            row.pop(arguments[0], None)
        elif name == "del_row" or arguments[0]:
            row.clear()
            row.update(*arguments)


def _run(store: _Store, model: _Model, block: Any) -> None:
    """One transaction; a pair says whether it fails at its end."""
    steps, fails = block if isinstance(block, tuple) else (block, False)
    before = model.state()
    with suppress(ZeroDivisionError), store.transaction() as transaction:
        for step in steps:
            if not isinstance(step, tuple) or not isinstance(step[0], str):
                _run(store, model, step)
            elif step[0] == "rollback":
                transaction.rollback()
                model.restore(before)
            else:
                getattr(store, step[0])(*step[1:])
                model.edit(*step)
        if fails:
            model.restore(before)
            raise ZeroDivisionError


def _replayed(told: list[Changes]) -> tuple[Any, Any]:
    """The content that the told changes make, one after the other."""
    tables: dict[str, dict[str, Any]] = {}
    values: dict[str, Any] = {}
    for changes in told:
        for row in changes.rows:
            assert tables.get(row.table_id, {}).get(row.row_id, {}) == row.old
            tables.setdefault(row.table_id, {})[row.row_id] = row.new
        for value in changes.values:
            assert (value.value_id not in values, values.get(value.value_id)) == (
                value.added,
                value.old,
            )
            values.pop(value.value_id, None)
            if not value.deleted:
                values[value.value_id] = value.new
    kept = {each: {r: row for r, row in rows.items() if row} for each, rows in tables.items()}
    return {each: rows for each, rows in kept.items() if rows}, values


@unhurried
@given(st.lists(_BLOCKS, max_size=5))
def test_what_is_kept_told_and_stored_is_what_was_not_taken_back(blocks: list[Any]) -> None:
    store, model = _Store(), _Model()
    for block in blocks:
        _run(store, model, block)
        assert store.get_content() == model.state()
        assert export_content(store.disk.loaded()) == export_content(store.replica)
        assert store.peer.content_hashes() == store.replica.content_hashes()
        assert _replayed(store.told) == model.state()
