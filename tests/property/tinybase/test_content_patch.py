"""A patch of a room's content does what RFC 7396 says of the JSON that is read of it."""

import json  # noqa: TID251 - what callers outside would do
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.tinybase.content_patch import apply_patch, merged, problem_of, replace_part
from app.tinybase.content_text import content_text
from app.tinybase.edits import Edited
from app.tinybase.news import Changes
from app.tinybase.replica import Replica
from app.tinybase.store_access import StoreAccess
from tests.property.tinybase.strategies import unhurried
from tests.unit.tinybase.replicas import NOW, replica

_IDS = st.sampled_from(["a", "b", "c", ""])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["x", "ü", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_IDS, inner, max_size=2),
    max_leaves=4,
)
_LEAVES = st.dictionaries(_IDS, _JSON, max_size=3)
_TABLES = st.dictionaries(_IDS, st.dictionaries(_IDS, _LEAVES, max_size=3), max_size=3)
_CONTENT = st.fixed_dictionaries({"tables": _TABLES, "values": _LEAVES})


def _or_null(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return inner | st.none()


_PATCHED_TABLES = st.dictionaries(
    _IDS, _or_null(st.dictionaries(_IDS, _or_null(_LEAVES), max_size=3)), max_size=3
)
_PATCH = st.fixed_dictionaries(
    {}, optional={"tables": _or_null(_PATCHED_TABLES), "values": _or_null(_LEAVES)}
)


class Store(StoreAccess):
    """A room's content without a room."""

    def __init__(self) -> None:
        self.replica = replica()

    def on_changes(self, changes: Changes) -> None:
        del changes

    def _content(self) -> Replica:
        return self.replica

    def _is_frozen(self) -> bool:
        return False

    def _now_ms(self) -> int:
        return NOW

    def _edited(self, edited: Edited) -> None:
        del edited

    def _new_row_id(self) -> str:
        raise NotImplementedError

    def read(self) -> Any:
        return json.loads(str(content_text(self.replica, [], 1 << 20)))


def _shown(content: Any) -> Any:
    """What TinyBase shows of a content: no empty rows, no empty tables."""
    tables = {
        table: {row: cells for row, cells in rows.items() if cells}
        for table, rows in (content.get("tables") or {}).items()
    }
    return {
        "tables": {table: rows for table, rows in tables.items() if rows},
        "values": content.get("values") or {},
    }


@unhurried
@given(before=_CONTENT, patches=st.lists(_PATCH, max_size=3))
def test_a_patch_of_the_content_is_a_patch_of_its_json(before: Any, patches: list[Any]) -> None:
    store = Store()
    assert problem_of([], before, patch=False) is None
    replace_part(store, [], before)
    assert store.read() == _shown(before)
    for patch in patches:
        wanted = _shown(merged(store.read(), patch))
        assert problem_of([], patch, patch=True) is None
        apply_patch(store, [], patch)
        assert store.read() == wanted


@unhurried
@given(before=_CONTENT, after=_CONTENT)
def test_a_replacement_is_what_is_read_afterwards(before: Any, after: Any) -> None:
    store = Store()
    replace_part(store, [], before)
    replace_part(store, [], after)
    assert store.read() == _shown(after)
    replace_part(store, ["tables", "a"], before["tables"].get("a", {}))
    tables = {**after["tables"], "a": before["tables"].get("a", {})}
    assert store.read() == _shown({"tables": tables, "values": after["values"]})
