import pytest

from app.tinybase.content import export_content
from app.tinybase.layout import (
    CHUNK_BYTES,
    KEY_BYTES,
    Kind,
    Splitter,
    Stored,
    root_entry,
    row_entry,
    table_entry,
    value_entry,
)
from tests.unit.tinybase.replicas import NOW, Disk, cells, filled, hlc, replica, values

ODD_IDS = ["", "é", '"', "\\", "\n", "a,b", "#000001", "\ud800", "\U0001f600", "\x7f", "__proto__"]


def read(entries: list[tuple[str, bytes]]) -> list[Stored]:
    disk = Disk()
    disk.write(Splitter().split(entries))
    return list(Splitter().join(disk.in_key_order()))


@pytest.mark.parametrize("odd", ODD_IDS)
def test_every_id_comes_back_from_its_key(odd: str) -> None:
    key, _ = row_entry(odd, "r", b"[{}]")
    assert key.isascii()
    assert read([row_entry(odd, odd, b"[{}]")]) == [
        Stored(kind=Kind.ROW, ids=(odd, odd), payload=b"[{}]")
    ]
    assert read([value_entry(odd, [1])]) == [Stored(kind=Kind.VALUE, ids=(odd,), payload=b"[1]")]


def test_different_ids_have_different_keys() -> None:
    keys = {row_entry(one, other, b"")[0] for one in ODD_IDS for other in ODD_IDS}
    assert len(keys) == len(ODD_IDS) ** 2


def test_nodes_come_back() -> None:
    found = read([root_entry("", 7, "x"), table_entry("t", "", 5)])
    assert found == [
        Stored(kind=Kind.ROOT, ids=(), payload=b'["",7,"x"]'),
        Stored(kind=Kind.TABLE, ids=("t",), payload=b'["",5]'),
    ]


def test_ids_too_long_for_a_key_stand_before_the_payload() -> None:
    long = "é" * KEY_BYTES
    key, value = row_entry(long, "r", b"[{}]")
    assert len(key) == 66
    assert read([(key, value)]) == [Stored(kind=Kind.ROW, ids=(long, "r"), payload=b"[{}]")]


def test_the_longest_key_is_as_long_as_the_limit() -> None:
    row_id = "x" * (KEY_BYTES - len('~r"t",""'))
    assert len(row_entry("t", row_id, b"")[0]) == KEY_BYTES
    assert len(row_entry("t", row_id + "x", b"")[0]) < KEY_BYTES


def test_a_large_payload_lies_in_pieces_and_comes_back_whole() -> None:
    large = b"[" + b"x" * (3 * CHUNK_BYTES) + b"]"
    entries = [row_entry("t", "a", b"[{}]"), row_entry("t", "b", large), row_entry("t", "c", b"[]")]
    pieces = Splitter().split(entries)
    assert len(pieces) == 6
    assert all(len(value or b"") <= CHUNK_BYTES + 16 for _, value in pieces)
    assert [(each.ids, each.payload) for each in read(entries)] == [
        (("t", "a"), b"[{}]"),
        (("t", "b"), large),
        (("t", "c"), b"[]"),
    ]


@pytest.mark.parametrize("reloaded", [False, True])
def test_a_payload_that_became_smaller_leaves_no_piece_behind(reloaded: bool) -> None:
    disk, splitter = Disk(), Splitter()
    for size in (5 * CHUNK_BYTES, 2 * CHUNK_BYTES, 3):
        payload = b"x" * size
        disk.write(splitter.split([row_entry("t", "r", payload)]))
        if reloaded:
            splitter = Splitter()
            assert [each.payload for each in splitter.join(disk.in_key_order())] == [payload]
        assert len(disk.content) == max(1, -(-size // CHUNK_BYTES))


def test_a_storage_with_a_missing_piece_is_refused() -> None:
    disk = Disk()
    disk.write(Splitter().split([row_entry("t", "r", b"x" * (3 * CHUNK_BYTES))]))
    whole = disk.in_key_order()
    for broken in (whole[:2], [whole[0], whole[2]]):
        with pytest.raises(ValueError, match="a piece is missing"):
            list(Splitter().join(broken))
    with pytest.raises(ValueError, match="without its head"):
        list(Splitter().join(whole[1:]))


def test_a_key_of_another_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="not a key of a replica"):
        list(Splitter().join([("x", b"")]))


def test_a_replica_with_large_rows_and_long_ids_survives_its_storage() -> None:
    long = "ü" * 700
    made = filled(
        cells(long, long, {"c": ["x" * (2 * CHUNK_BYTES), hlc(1)]}),
        cells("t", "r", {"c": [1, hlc(1)]}),
        values({long: ["y" * (2 * CHUNK_BYTES), hlc(2)]}),
        [[{long: [{}, hlc(3)]}, hlc(4)], [{}, hlc(5)], 1],
    )
    disk = Disk()
    disk.write(made.stored())
    assert export_content(disk.loaded()) == export_content(made)
    applied = disk.loaded().apply(cells(long, long, {"c": ["small", hlc(9)]}), NOW)
    assert applied is not None
    disk.write(applied.entries)
    assert disk.loaded().cell_hashes(long, long)


def test_an_empty_storage_is_an_empty_replica() -> None:
    empty = replica()
    empty.load([])
    assert empty.content_hashes() == (0, 0)
