"""Channels whose object goes away are brought to its next room; the socket goes on."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import (
    LinkBroken,
    Overloaded,
    OwnedElsewhere,
    StateroomError,
    StoreUnavailable,
    WorkerLeaving,
)
from app.web import channels
from tests.unit.web.channel_bench import Bench

AWAY = (1012, "service restart")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.tasks.close()


async def lose(bench: Bench, name: str = "a") -> None:
    """The object of a channel goes away."""
    bench.members[name].transport.let_go(*AWAY)
    await bench.settle()


async def test_a_lost_channel_joins_the_next_room_and_the_client_notices_nothing(
    bench: Bench,
) -> None:
    await bench.say("open a", "open b")
    bench.socket.take()
    old = bench.members["a"]
    await lose(bench)
    new = bench.members["a"]
    assert new is not old
    assert old.ends == [(1012, "", True)]
    assert bench.resumed == ["a"]
    assert bench.socket.take() == ["a:welcome to a"]
    await bench.say("a:hello", "b:hello")
    assert new.heard == bench.members["b"].heard == ["hello"]
    assert old.heard == []
    assert bench.closed() is None


async def test_what_the_client_says_meanwhile_waits_for_the_next_room_and_others_go_on(
    bench: Bench,
) -> None:
    await bench.say("open a", "open b")
    old = bench.members["a"]
    bench.held = True
    await lose(bench)
    await bench.say("a:one", "b:now", "a:two")
    assert bench.members["b"].heard == ["now"]
    assert old.heard == []
    bench.let_in("a")
    await bench.settle()
    assert bench.members["a"].heard == ["one", "two"]


async def test_nothing_of_the_former_room_is_said_any_more(bench: Bench) -> None:
    await bench.say("open a")
    old = bench.members["a"]
    await lose(bench)
    bench.socket.take()
    old.say("late")
    old.transport.close(4000, "late")
    old.transport.let_go(*AWAY)
    old.transport.pause_reading()
    old.transport.abort()
    await bench.settle()
    assert bench.socket.take() == []
    assert bench.closed() is None
    assert bench.socket.reading
    assert not bench.socket.aborted
    assert bench.resumed == ["a"]


async def test_a_class_that_does_not_resume_has_its_socket_closed(bench: Bench) -> None:
    bench.resumable = False
    await bench.say("open a")
    await lose(bench)
    assert bench.closed() == AWAY
    assert bench.resumed == []


async def test_an_object_that_closes_on_purpose_closes_the_socket_whatever_the_code(
    bench: Bench,
) -> None:
    await bench.say("open a")
    bench.members["a"].transport.close(*AWAY)
    await bench.settle()
    assert bench.closed() == AWAY
    assert bench.resumed == []


@pytest.mark.parametrize("error", [LinkBroken(), OwnedElsewhere(), StoreUnavailable()])
async def test_what_passes_is_tried_again_after_a_pause(
    bench: Bench, error: StateroomError
) -> None:
    await bench.say("open a")
    bench.errors = [error, error]
    await lose(bench)
    assert bench.resumed == ["a"]
    for tries in (2, 3):
        bench.clock.advance(0.1)
        await bench.settle()
        assert len(bench.resumed) == tries
    await bench.say("a:hello")
    assert bench.members["a"].heard == ["hello"]
    assert bench.closed() is None


async def test_a_channel_that_cannot_be_brought_back_in_time_closes_the_socket_as_before(
    bench: Bench,
) -> None:
    await bench.say("open a", "a:hello")
    bench.errors = [StoreUnavailable() for _ in range(100)]
    await lose(bench)
    seconds = 0.0
    while bench.closed() is None:
        assert seconds < bench.patience_seconds + 1.5
        bench.clock.advance(0.5)
        seconds += 0.5
        await bench.settle()
    assert seconds >= bench.patience_seconds
    assert bench.closed() == AWAY
    assert len(bench.resumed) < 25, "pauses grow"


@pytest.mark.parametrize(
    ("error", "close"),
    [
        (WorkerLeaving(), AWAY),
        (Overloaded("too many rooms"), (1013, "overloaded")),
        (StateroomError("a fault of ours"), (1013, "internal")),
    ],
)
async def test_what_does_not_pass_closes_the_socket_at_once(
    bench: Bench, error: StateroomError, close: tuple[int, str]
) -> None:
    await bench.say("open a")
    bench.errors = [error]
    await lose(bench)
    assert bench.closed() == close


async def test_what_waits_for_a_lost_object_is_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "_WAITING_CHARS", 10)
    await bench.say("open a")
    bench.held = True
    await lose(bench)
    await bench.say("a:1234567890")
    assert bench.closed() is None
    await bench.say("a:1")
    assert bench.closed() == AWAY


async def test_what_waited_is_not_counted_any_more_when_it_was_handed_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "_WAITING_CHARS", 10)
    await bench.say("open a")
    for _ in range(3):
        bench.held = True
        await lose(bench)
        await bench.say("a:1234567890")
        bench.let_in("a")
        await bench.settle()
        bench.clock.advance(bench.patience_seconds)
    assert bench.members["a"].heard == ["1234567890"]
    assert bench.closed() is None


async def test_an_object_that_throws_its_clients_out_again_and_again_is_given_up(
    bench: Bench,
) -> None:
    await bench.say("open a")
    seconds = 0.0
    while bench.closed() is None:
        assert seconds < bench.patience_seconds + 2
        if bench.members["a"].ends == []:
            await lose(bench)
        bench.clock.advance(0.25)
        seconds += 0.25
        await bench.settle()
    assert len(bench.resumed) < 25


async def test_a_channel_lost_long_after_it_came_back_has_all_the_time_again(bench: Bench) -> None:
    await bench.say("open a")
    for _ in range(3):
        await lose(bench)
        bench.clock.advance(bench.patience_seconds)
        await bench.settle()
    assert bench.closed() is None
    assert len(bench.resumed) == 3


async def test_an_object_that_goes_away_before_the_client_knows_the_channel_is_joined_again(
    bench: Bench,
) -> None:
    bench.held = True
    await bench.say("open a", "open b", "b:early")
    bench.let_in("b")
    await bench.settle()
    await lose(bench, "b")
    assert bench.socket.take() == []
    bench.let_in("a")
    await bench.settle()
    bench.clock.advance(0.1)
    await bench.settle()
    bench.let_in("b")
    await bench.settle()
    assert bench.socket.take() == ["opened a", "a:welcome to a", "opened b", "b:welcome to b"]
    assert [member.heard for member in bench.all_members] == [[], [], ["early"]]
    assert bench.closed() is None


async def test_an_object_that_goes_away_in_the_step_in_which_it_is_joined_is_joined_again(
    bench: Bench,
) -> None:
    await bench.say("open a")
    bench.gone_at_once = 2
    await lose(bench)
    bench.clock.advance(0.1)
    await bench.settle()
    bench.clock.advance(0.1)
    await bench.settle()
    await bench.say("a:hello")
    assert bench.members["a"].heard == ["hello"]
    assert [member.ends for member in bench.all_members] == [[(1012, "", True)]] * 3 + [[]]
    assert bench.closed() is None


async def test_a_link_that_breaks_while_a_channel_opens_is_not_the_end(bench: Bench) -> None:
    bench.errors = [LinkBroken()]
    await bench.say("open a")
    bench.clock.advance(0.1)
    await bench.settle()
    assert bench.socket.take() == ["opened a", "a:welcome to a"]
    assert bench.resumed == []


async def test_a_channel_that_is_shut_on_its_way_back_is_let_go(bench: Bench) -> None:
    await bench.say("open a")
    bench.held = True
    await lose(bench)
    await bench.say("a:never heard", "shut a")
    bench.let_in("a")
    await bench.settle()
    assert bench.words.over == ["a"]
    assert bench.members["a"].ends == [(1000, "", True)]
    assert bench.members["a"].heard == []


async def test_a_channel_shut_on_its_way_back_and_opened_again_joins_once_more(
    bench: Bench,
) -> None:
    await bench.say("open a")
    bench.held = True
    await lose(bench)
    await bench.say("shut a", "open a", "a:hello")
    bench.let_in("a")
    await bench.settle()
    bench.let_in("a")
    await bench.settle()
    first, second, third = bench.all_members
    assert first.ends
    assert second.ends == [(1000, "", True)]
    assert third.ends == []
    assert third.heard == ["hello"]


async def test_a_socket_that_ends_meanwhile_brings_nothing_back(bench: Bench) -> None:
    await bench.say("open a", "open b")
    bench.held = True
    await lose(bench)
    bench.socket.leave(1006, clean=False)
    await lose(bench, "b")
    bench.let_in("a")
    await bench.settle()
    assert bench.members["a"].ends == [(1000, "", True)]
    assert bench.resumed == ["a"]
    assert bench.closed() is None


async def test_a_lost_object_no_longer_keeps_the_socket_waiting(bench: Bench) -> None:
    await bench.say("open a")
    bench.members["a"].transport.pause_reading()
    bench.held = True
    await lose(bench)
    assert bench.socket.reading


async def test_only_so_many_come_back_at_a_time(bench: Bench) -> None:
    await bench.say("open a", "open b", "open c")
    bench.held = True
    for name in "abc":
        await lose(bench, name)
    assert bench.resumed == ["a", "b"]
    bench.let_in("a")
    await bench.settle()
    assert bench.resumed == ["a", "b", "c"]


async def test_a_worker_that_leaves_closes_the_socket_and_brings_nothing_back(
    bench: Bench,
) -> None:
    await bench.say("open a")
    bench.channels.leave(*AWAY)
    await lose(bench)
    assert bench.closed() == AWAY
    assert bench.resumed == []
