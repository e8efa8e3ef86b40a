"""Layers of writes: what a look-up finds, what moves down, what is undone."""

import pytest

from app.room.buffer import DELETED, UNKNOWN, Layer, WriteBuffer
from app.room.transaction_open import TransactionOpen


def _put(buffer: WriteBuffer, key: bytes, value: bytes | None, *, confirmed: bool = True) -> None:
    buffer.top.set(key, value)
    buffer.top.confirmed = buffer.top.confirmed or confirmed


def test_nothing_is_known_of_a_key_that_nobody_wrote() -> None:
    buffer = WriteBuffer()
    assert buffer.lookup(b"a") is UNKNOWN
    assert buffer.clean
    assert not buffer.dirty


def test_78_a_look_up_sees_what_was_just_written() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"1")
    assert buffer.lookup(b"a") == b"1"
    _put(buffer, b"a", None)
    assert buffer.lookup(b"a") is DELETED


def test_the_newest_layer_is_asked_first_through_all_of_them() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"in flight")
    _put(buffer, b"b", b"in flight")
    _put(buffer, b"c", b"in flight")
    _put(buffer, b"d", b"in flight")
    buffer.seal()
    buffer.freeze()
    _put(buffer, b"b", b"pending")
    _put(buffer, b"c", b"pending")
    _put(buffer, b"d", b"pending")
    buffer.seal()
    _put(buffer, b"c", b"unit")
    _put(buffer, b"d", b"unit")
    buffer.savepoint()
    _put(buffer, b"d", b"savepoint")
    found = [buffer.lookup(key) for key in (b"a", b"b", b"c", b"d")]
    assert found == [b"in flight", b"pending", b"unit", b"savepoint"]
    wiped, overlay = buffer.overlay()
    assert not wiped
    assert overlay == {
        b"a": b"in flight",
        b"b": b"pending",
        b"c": b"unit",
        b"d": b"savepoint",
    }


def test_a_wiped_layer_hides_everything_below_it_but_not_what_is_written_afterwards() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"below", b"1")
    buffer.seal()
    _put(buffer, b"before", b"2")
    buffer.top.wipe()
    _put(buffer, b"after", b"3")
    assert buffer.lookup(b"below") is DELETED
    assert buffer.lookup(b"before") is DELETED
    assert buffer.lookup(b"after") == b"3"
    assert buffer.lookup(b"never") is DELETED
    assert buffer.overlay() == (True, {b"after": b"3"})


def test_110_a_unit_that_ends_while_a_batch_is_in_flight_waits_for_the_next() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"1")
    buffer.seal()
    first = buffer.freeze()
    _put(buffer, b"a", b"2")
    buffer.seal()
    assert first is not None
    assert first.entries == {b"a": b"1"}
    assert buffer.in_flight
    assert buffer.dirty
    assert buffer.confirm() is first
    second = buffer.freeze()
    assert second is not None
    assert second.entries == {b"a": b"2"}


def test_111_the_last_write_to_a_key_wins() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"1")
    _put(buffer, b"a", b"22")
    buffer.seal()
    _put(buffer, b"a", b"333")
    buffer.seal()
    layer = buffer.freeze()
    assert layer is not None
    assert layer.entries == {b"a": b"333"}
    assert layer.size_bytes == 4


def test_a_wipe_in_a_later_unit_empties_the_pending_batch_and_marks_it() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"1")
    buffer.seal()
    buffer.top.wipe()
    _put(buffer, b"b", b"2")
    buffer.seal()
    layer = buffer.freeze()
    assert layer is not None
    assert layer.wiped
    assert layer.entries == {b"b": b"2"}


def test_a_wipe_alone_is_something_to_commit() -> None:
    buffer = WriteBuffer()
    buffer.top.wipe()
    assert bool(buffer.top)
    buffer.seal()
    assert buffer.dirty


def test_a_wipe_stays_when_a_later_unit_writes_only() -> None:
    buffer = WriteBuffer()
    buffer.top.wipe()
    buffer.seal()
    _put(buffer, b"a", b"1")
    buffer.seal()
    layer = buffer.freeze()
    assert layer is not None
    assert layer.wiped
    assert layer.entries == {b"a": b"1"}


def test_ending_an_empty_unit_leaves_nothing_behind() -> None:
    buffer = WriteBuffer()
    assert buffer.seal() is False
    assert buffer.freeze() is None
    assert not buffer.in_flight


@pytest.mark.parametrize("confirmed", [True, False])
def test_61_a_unit_says_whether_sends_wait_for_it(confirmed: bool) -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"1", confirmed=confirmed)
    assert buffer.seal() is confirmed


def test_62_one_confirmed_write_makes_the_whole_batch_confirmed() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"1", confirmed=False)
    _put(buffer, b"b", b"1", confirmed=True)
    assert buffer.seal() is True


def test_undoing_drops_the_unit_and_its_transactions_and_nothing_else() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"1")
    buffer.seal()
    _put(buffer, b"a", b"2")
    buffer.savepoint()
    _put(buffer, b"b", b"3")
    buffer.discard()
    assert buffer.lookup(b"a") == b"1"
    assert buffer.lookup(b"b") is UNKNOWN
    assert not buffer.in_transaction


def test_121_an_inner_rollback_keeps_the_outer_writes() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"outside")
    outer = buffer.savepoint()
    _put(buffer, b"a", b"outer")
    inner = buffer.savepoint()
    _put(buffer, b"a", b"inner")
    buffer.rollback(inner)
    assert buffer.lookup(b"a") == b"outer"
    buffer.keep(inner)
    buffer.keep(outer)
    assert buffer.lookup(b"a") == b"outer"


def test_122_an_outer_rollback_undoes_an_inner_transaction_that_ended_well() -> None:
    buffer = WriteBuffer()
    outer = buffer.savepoint()
    inner = buffer.savepoint()
    _put(buffer, b"a", b"inner")
    buffer.keep(inner)
    buffer.rollback(outer)
    buffer.keep(outer)
    assert buffer.lookup(b"a") is UNKNOWN


def test_a_commit_point_inside_a_transaction_is_refused_and_loses_nothing() -> None:
    buffer = WriteBuffer()
    depth = buffer.savepoint()
    _put(buffer, b"a", b"1")
    with pytest.raises(TransactionOpen):
        buffer.seal()
    buffer.keep(depth)
    assert buffer.seal() is True


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_only_the_innermost_transaction_can_end(depth: int) -> None:
    buffer = WriteBuffer()
    buffer.savepoint()
    buffer.savepoint()
    with pytest.raises(RuntimeError):
        buffer.keep(depth)
    with pytest.raises(RuntimeError):
        buffer.rollback(depth)


def test_at_most_one_batch_is_in_flight() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"1")
    buffer.seal()
    buffer.freeze()
    _put(buffer, b"a", b"2")
    buffer.seal()
    with pytest.raises(RuntimeError, match="in flight already"):
        buffer.freeze()


def test_what_is_not_in_flight_cannot_be_confirmed() -> None:
    with pytest.raises(RuntimeError, match="no batch"):
        WriteBuffer().confirm()


def test_sizes_follow_every_change() -> None:
    layer = Layer()
    layer.set(b"key", b"value")
    assert layer.size_bytes == 8
    layer.set(b"key", b"v")
    assert layer.size_bytes == 4
    layer.set(b"key", None)
    assert layer.size_bytes == 3
    layer.set(b"key", b"value")
    assert layer.size_bytes == 8
    layer.wipe()
    assert layer.size_bytes == 0


def test_the_buffer_knows_what_is_unfinished_and_what_is_unconfirmed() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"1")
    buffer.savepoint()
    _put(buffer, b"b", b"22")
    assert buffer.unit_bytes == 5
    assert buffer.unconfirmed_bytes == 0
    buffer.keep(1)
    buffer.seal()
    assert buffer.unit_bytes == 0
    assert buffer.unconfirmed_bytes == 5
    buffer.freeze()
    _put(buffer, b"c", b"")
    buffer.seal()
    assert buffer.unconfirmed_bytes == 6
    clean = []
    for _ in range(2):
        clean.append(buffer.clean)
        buffer.confirm()
        buffer.freeze()
    assert [*clean, buffer.clean] == [False, False, True]
    assert buffer.unconfirmed_bytes == 0


def test_which_keys_stay_out_of_the_cache_goes_down_with_the_writes() -> None:
    buffer = WriteBuffer()
    _put(buffer, b"a", b"1")
    buffer.top.keep_out([b"a"])
    buffer.seal()
    _put(buffer, b"b", b"1")
    buffer.top.keep_out([b"b"])
    buffer.seal()
    layer = buffer.freeze()
    assert layer is not None
    assert layer.uncached == {b"a", b"b"}
