import pytest

from app.tinybase.content import (
    export_content,
    get_cell,
    get_row,
    get_table,
    get_tables,
    get_value,
    get_values,
    import_content,
    plain_form,
    stored_form,
)
from tests.unit.tinybase.replicas import NOW, Disk, cells, filled, hlc, replica, values


def test_only_what_is_visible_is_read() -> None:
    deleted = ["\ufffc", hlc(1)]
    read = filled(
        cells("t", "r", {"a": [None, hlc(1)], "b": deleted, "c": ["\ufffd[1]", hlc(1)]}),
        cells("t", "gone", {"a": deleted}),
        cells("u", "gone", {"a": deleted}),
        cells("v", "empty", {}),
        values({"x": deleted, "y": [0, hlc(1)]}),
    )
    assert get_tables(read) == {"t": {"r": {"a": None, "c": [1]}}}
    assert get_table(read, "u") == {}
    assert get_table(read, "nowhere") == {}
    assert get_row(read, "t", "gone") == {}
    assert get_row(read, "nowhere", "r") == {}
    assert get_cell(read, "t", "r", "a", "default") is None
    assert get_cell(read, "t", "r", "b", "default") == "default"
    assert get_values(read) == {"y": 0}
    assert get_value(read, "y") == 0
    assert get_value(read, "x", 7) == 7
    assert get_value(read, "nothing") is None


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        (True, True),
        ("", ""),
        ("a\ufffc", "a\ufffc"),
        (5.0, 5),
        (0.5, 0.5),
        ([], "\ufffd[]"),
        ((1, 2.0), "\ufffd[1,2]"),
        ({"b": 1, "1": {"é": "\ud800"}}, '\ufffd{"1":{"é":"\\ud800"},"b":1}'),
    ],
)
def test_a_value_is_stored_as_tinybase_stores_it(value: object, stored: object) -> None:
    assert stored_form(value) == stored
    assert type(stored_form(value)) is type(stored)


def test_objects_come_back_from_their_text_and_other_text_stays() -> None:
    assert plain_form('\ufffd{"a":[1]}') == {"a": [1]}
    assert plain_form("\ufffdnot json") == "\ufffdnot json"
    assert plain_form("{}") == "{}"


def test_an_exported_content_can_be_imported_and_stored() -> None:
    source = filled(
        cells("t", "r", {"a": [1, hlc(1)], "b": ["\ufffc", hlc(2)]}), values({"v": [1]})
    )
    target, disk = replica(), Disk()
    disk.write(import_content(target, export_content(source), NOW))
    assert target.content_hashes() == source.content_hashes()
    assert disk.loaded().content_hashes() == source.content_hashes()


def test_importing_takes_stamps_from_the_future_but_the_clock_does_not_believe_them() -> None:
    target = replica()
    content = [[{"t": [{"r": [{"c": ["x", hlc(10**9), 1]}, "", 2]}, "", 3]}, "", 4], [{}, "", 0]]
    import_content(target, content, NOW)
    assert get_tables(target) == {"t": {"r": {"c": "x"}}}
    assert target.clock.state == (0, -1)


@pytest.mark.parametrize("content", [[], [[{}], 5], [[{"t": 1}], [{}]], [[{}, "bad", 0], [{}]]])
def test_what_is_no_content_is_not_imported(content: list[object]) -> None:
    target = replica()
    with pytest.raises(ValueError, match="not a TinyBase content"):
        import_content(target, content, NOW)
    assert target.tables == {}
