"""Clients that have not said yet what they want."""

from app.testing.clock import FakeClock
from app.transport.head_watch import HeadWatch


class Client:
    """Writes down when it was given up."""

    def __init__(self, clock: FakeClock, watch: HeadWatch) -> None:
        self._clock = clock
        self._watch = watch
        self.given_up: list[float] = []

    def too_slow(self) -> None:
        self._watch.end(self)
        self.given_up.append(self._clock.monotonic())


def watched(
    count: int, *, most_heads: int = 100, most_bytes: int = 1_000
) -> tuple[FakeClock, HeadWatch, list[Client]]:
    clock = FakeClock(0.0)
    watch = HeadWatch(clock, seconds=10.0, most_heads=most_heads, most_bytes=most_bytes)
    clients = [Client(clock, watch) for _ in range(count)]
    return clock, watch, clients


def test_each_has_the_same_time_from_its_own_beginning() -> None:
    clock, watch, clients = watched(3)
    for client in clients:
        watch.begin(client)
        clock.advance(4.0)
    assert clock.pending == 1
    clock.advance(20.0)
    assert [client.given_up for client in clients] == [[10.0], [14.0], [18.0]]
    assert len(watch) == clock.pending == 0


def test_whose_head_is_whole_is_left_alone() -> None:
    clock, watch, (one, other) = watched(2)
    watch.begin(one)
    watch.begin(other)
    watch.end(one)
    watch.end(one)
    clock.advance(20.0)
    assert (one.given_up, other.given_up) == ([], [10.0])


def test_more_bytes_give_no_more_time() -> None:
    clock, watch, (client,) = watched(1)
    watch.begin(client)
    for size in range(9):
        clock.advance(1.0)
        watch.begin(client)
        watch.holds(client, size)
    clock.advance(1.0)
    assert client.given_up == [10.0]
    assert watch.held_bytes == 0


def test_of_too_many_the_first_goes() -> None:
    _, watch, clients = watched(5, most_heads=3)
    for client in clients:
        watch.begin(client)
    assert [len(client.given_up) for client in clients] == [1, 1, 0, 0, 0]
    assert len(watch) == 3


def test_of_too_much_the_first_goes_whoever_sent_it() -> None:
    _, watch, (one, other, third) = watched(3, most_bytes=100)
    for client, size in ((one, 40), (other, 60), (third, 1)):
        watch.begin(client)
        watch.holds(client, size)
    assert [len(client.given_up) for client in (one, other, third)] == [1, 0, 0]
    assert watch.held_bytes == 61
    watch.end(other)
    assert watch.held_bytes == 1


def test_who_begins_again_has_a_new_time() -> None:
    clock, watch, (client,) = watched(1)
    watch.begin(client)
    watch.end(client)
    clock.advance(100.0)
    watch.begin(client)
    clock.advance(9.0)
    assert client.given_up == []
    clock.advance(1.0)
    assert client.given_up == [110.0]
