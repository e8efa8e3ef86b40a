"""Changing a part of a room's content with JSON: checked whole, then done as edits.

A part is replaced, merged into (RFC 7396: `null` deletes, what is not named stays), or deleted.
What is wrong with a JSON is found before anything is changed, and told with the place where it
stands. As everywhere in TinyBase, a row without cells and a table without rows are no row and no
table.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..sdk.json import UNDEFINED
from .store_access import StoreAccess

_TABLES = "tables"
_VALUES = "values"
_TABLE_DEPTH = 4
_VALUE_DEPTH = 2
_SHOWN_CHARS = 80
_NO_SUCH_PART = "there is no such part of the content"

Path = Sequence[str]


def is_part(path: Path) -> bool:
    """Whether a path leads to something that a TinyBase content may have."""
    if not path:
        return True
    depth = {_TABLES: _TABLE_DEPTH, _VALUES: _VALUE_DEPTH}.get(path[0], 0)
    return len(path) <= depth


def problem_of(path: Path, content: Any, *, patch: bool) -> str | None:
    """Say what is wrong with a JSON for that part, as a patch or as a replacement."""
    if not is_part(path):
        return _NO_SUCH_PART
    return _Check(patch=patch).part(path, content)


def apply_patch(store: StoreAccess, path: Path, patch: Any) -> None:
    """Merge a checked patch into a part. Raises what edits raise."""
    for step in reversed(path):
        patch = {step: patch}
    with store.transaction():
        _patch_members(patch, _TABLES, store.del_tables, lambda each: _patch_tables(store, each))
        _patch_members(patch, _VALUES, store.del_values, lambda each: _patch_values(store, each))


def replace_part(store: StoreAccess, path: Path, content: Any) -> None:
    """Make a part exactly what a checked JSON says. Raises what edits raise."""
    match list(path):
        case []:
            store.set_content(_filled(content.get(_TABLES, {})), content.get(_VALUES, {}))
        case ["tables"] if tables := _filled(content):
            store.set_tables(tables)
        case ["tables", table_id] if rows := _with_members(content):
            store.set_table(table_id, rows)
        case ["tables", table_id, row_id] if content:
            store.set_row(table_id, row_id, content)
        case ["tables", table_id, row_id, cell_id]:
            store.set_cell(table_id, row_id, cell_id, content)
        case ["values"] if content:
            store.set_values(content)
        case ["values", value_id]:
            store.set_value(value_id, content)
        case _:
            delete_part(store, path)


def delete_part(store: StoreAccess, path: Path) -> bool:
    """Delete a part; return whether there was one."""
    there, delete = _part_of(store, path)
    if there:
        delete()
    return there


def merged(target: Any, patch: Any) -> Any:
    """What RFC 7396 makes of a JSON and a patch."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


class _Check:
    """Finds the first thing that is wrong; with `patch`, null stands for a deletion."""

    def __init__(self, *, patch: bool) -> None:
        self._patch = patch

    def part(self, path: Path, content: Any) -> str | None:
        where = "/".join(each[:_SHOWN_CHARS] for each in path) or "the content"
        match list(path):
            case []:
                return self._root(content)
            case ["tables"]:
                return self._members(content, where, "tables", self._rows)
            case ["tables", _]:
                return self._rows(content, where)
            case ["tables", _, _] | ["values"]:
                return self._leaves(content, where)
        return self._leaf(content, where)

    def _root(self, content: Any) -> str | None:
        if not isinstance(content, dict):
            return _no_object("the content", content, "tables and values")
        for name, members in content.items():
            if name not in (_TABLES, _VALUES):
                return f"{name[:_SHOWN_CHARS]!r} is neither tables nor values"
            if problem := self.part([name], members):
                return problem
        return None

    def _rows(self, rows: Any, where: str) -> str | None:
        return self._members(rows, where, "rows", self._leaves)

    def _leaves(self, leaves: Any, where: str) -> str | None:
        return self._members(leaves, where, "cells or values", self._leaf)

    def _members(
        self, members: Any, where: str, of_what: str, check: Callable[[Any, str], str | None]
    ) -> str | None:
        if members is None and self._patch:
            return None
        if not isinstance(members, dict):
            return _no_object(where, members, of_what)
        for name, member in members.items():
            if problem := check(member, f"{where}/{name[:_SHOWN_CHARS]}"):
                return problem
        return None

    def _leaf(self, value: Any, where: str) -> str | None:
        if value == UNDEFINED:
            return f"{where} is U+FFFC, which means a deleted cell"
        inner = value.values() if isinstance(value, dict) else value
        for child in inner if isinstance(value, dict | list) else ():
            if problem := self._leaf(child, where):
                return problem
        return None


def _no_object(where: str, value: Any, of_what: str) -> str:
    kinds: Mapping[type, str] = {
        type(None): "null",
        bool: "a boolean",
        str: "text",
        list: "an array",
    }
    return f"{where} is {kinds.get(type(value), 'a number')}, not an object of {of_what}"


def _patch_members(
    patch: Mapping[str, Any],
    name: str,
    delete: Callable[[], None],
    change: Callable[[Mapping[str, Any]], None],
) -> None:
    """Do what a patch says of one of its members, if anything."""
    if name not in patch:
        return
    if patch[name] is None:
        delete()
    else:
        change(patch[name])


def _patch_tables(store: StoreAccess, tables: Mapping[str, Any]) -> None:
    for table_id, rows in tables.items():
        if rows is None:
            store.del_table(table_id)
            continue
        for row_id, cells in rows.items():
            if cells is None:
                store.del_row(table_id, row_id)
            else:
                _patch_row(store, table_id, row_id, cells)


def _patch_row(store: StoreAccess, table_id: str, row_id: str, cells: Mapping[str, Any]) -> None:
    now = store.get_row(table_id, row_id)
    store.set_partial_row(table_id, row_id, _patched(now, cells))
    for cell_id, cell in cells.items():
        if cell is None:
            store.del_cell(table_id, row_id, cell_id)


def _patch_values(store: StoreAccess, values: Mapping[str, Any]) -> None:
    store.set_partial_values(_patched(store.get_values(), values))
    for value_id, value in values.items():
        if value is None:
            store.del_value(value_id)


def _patched(now: Mapping[str, Any], leaves: Mapping[str, Any]) -> dict[str, Any]:
    return {each: merged(now.get(each), leaf) for each, leaf in leaves.items() if leaf is not None}


def _filled(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The tables that have a row with a cell."""
    kept = {table_id: _with_members(rows) for table_id, rows in tables.items()}
    return _with_members(kept)


def _with_members(members: Mapping[str, Any]) -> dict[str, Any]:
    return {each: inner for each, inner in members.items() if inner}


def _part_of(store: StoreAccess, path: Path) -> tuple[bool, Callable[[], None]]:
    """Whether there is a part, and what deletes it."""
    match list(path):
        case []:
            return store.has_tables() or store.has_values(), lambda: store.set_content({}, {})
        case ["tables"]:
            return store.has_tables(), store.del_tables
        case ["tables", table_id]:
            return store.has_table(table_id), lambda: store.del_table(table_id)
        case ["tables", table_id, row_id]:
            return store.has_row(table_id, row_id), lambda: store.del_row(table_id, row_id)
        case ["tables", table_id, row_id, cell_id]:
            return (
                store.has_cell(table_id, row_id, cell_id),
                lambda: store.del_cell(table_id, row_id, cell_id),
            )
        case ["values"]:
            return store.has_values(), store.del_values
        case ["values", value_id]:
            return store.has_value(value_id), lambda: store.del_value(value_id)
    return False, lambda: None
