"""Reads that are under way, and the writes that wait for them."""

from app.core.values import KeyRange
from app.room.buffer import Layer
from app.room.open_reads import OpenReads


class Closed:
    """Counts how often a batch was asked for again."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def _layer(*keys: bytes, wiped: bool = False) -> Layer:
    layer = Layer()
    if wiped:
        layer.wipe()
    for key in keys:
        layer.set(key, b"value")
    return layer


def test_a_write_to_a_key_that_is_read_waits_until_the_read_is_over() -> None:
    closed = Closed()
    reads = OpenReads(closed)
    with reads.of_keys([b"a", b"b"]):
        assert reads.open
        assert reads.bar(_layer(b"b", b"c"))
        assert closed.count == 0
    assert closed.count == 1
    assert not reads.open


def test_a_write_to_another_key_does_not_wait() -> None:
    closed = Closed()
    reads = OpenReads(closed)
    with reads.of_keys([b"a"]):
        assert not reads.bar(_layer(b"b"))
    assert closed.count == 0


def test_a_range_bars_its_keys_but_those_that_it_has_seen_unconfirmed() -> None:
    reads = OpenReads(Closed())
    with reads.of_range(KeyRange(start=b"b", end=b"d"), {b"c": None}):
        assert not reads.bar(_layer(b"a", b"c", b"d"))
        assert reads.bar(_layer(b"b"))


def test_deleting_everything_waits_for_every_read() -> None:
    reads = OpenReads(Closed())
    with reads.of_keys([b"a"]):
        assert reads.bar(_layer(wiped=True))
    with reads.of_range(KeyRange(), {}):
        assert reads.bar(_layer(wiped=True))


def test_of_two_reads_the_one_that_ends_first_has_the_batch_asked_for_again() -> None:
    closed = Closed()
    reads = OpenReads(closed)
    with reads.of_keys([b"a"]):
        with reads.of_keys([b"a"]):
            assert reads.bar(_layer(b"a"))
        assert closed.count == 1
        assert reads.bar(_layer(b"a"))
    assert closed.count == 2
    assert not reads.bar(_layer(b"a"))
