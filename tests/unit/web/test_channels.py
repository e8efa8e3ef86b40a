"""A multiplexed socket: channels come and go, and what the client is told keeps its order."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import Overloaded
from app.web import channels
from tests.unit.web.channel_bench import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.tasks.close()


async def test_a_channel_joins_its_object_and_messages_come_and_go_wrapped(bench: Bench) -> None:
    await bench.say("open a", "a:hello")
    member = bench.members["a"]
    assert member.suffix == "path/a"
    assert member.heard == ["hello"]
    assert bench.socket.take() == ["opened a", "a:welcome to a"]
    member.say("one", "two")
    assert bench.socket.take() == ["a:one", "a:two"]


async def test_the_client_is_told_of_the_channel_before_anything_of_it(bench: Bench) -> None:
    bench.held = True
    await bench.say("open a", "a:early")
    assert bench.socket.take() == []
    bench.let_in("a")
    await bench.settle()
    assert bench.socket.take() == ["opened a", "a:welcome to a"]
    assert bench.members["a"].heard == ["early"]


async def test_answers_come_in_the_order_of_the_questions_whatever_joins_first(
    bench: Bench,
) -> None:
    bench.held = True
    await bench.say("open a", "reply x", "open b", "reply y")
    bench.let_in("b")
    await bench.settle()
    assert bench.socket.take() == []
    bench.members["b"].say("news of b")
    bench.let_in("a")
    await bench.settle()
    assert bench.socket.take() == [
        "opened a",
        "a:welcome to a",
        "x",
        "opened b",
        "b:welcome to b",
        "b:news of b",
        "y",
    ]


@pytest.mark.parametrize("error", [Overloaded("full"), RuntimeError("a fault of ours")])
async def test_an_object_that_refuses_closes_the_socket_in_its_turn(
    bench: Bench, error: Exception
) -> None:
    bench.held = True
    await bench.say("open a", "open b")
    bench.turn_away("b", error)
    await bench.settle()
    assert bench.closed() is None
    bench.let_in("a")
    await bench.settle()
    assert bench.socket.take() == ["opened a", "a:welcome to a"]
    code = "overloaded" if isinstance(error, Overloaded) else "internal"
    assert bench.closed() == (1013, code)
    await bench.say("a:not heard any more")
    assert bench.members["a"].heard == []


async def test_a_fault_of_the_client_closes_the_socket_behind_the_answers(bench: Bench) -> None:
    bench.held = True
    await bench.say("open a", "fail", "a:deaf by now")
    assert bench.closed() is None
    bench.let_in("a")
    await bench.settle()
    assert bench.socket.take() == ["opened a", "a:welcome to a"]
    assert bench.closed() == (1007, "failed")
    assert bench.members["a"].heard == []


async def test_a_channel_that_is_shut_leaves_its_object_and_nothing_more_of_it_is_sent(
    bench: Bench,
) -> None:
    await bench.say("open a", "shut a")
    member = bench.members["a"]
    bench.socket.take()
    assert member.ends == [(1000, "", True)]
    assert bench.words.over == ["a"]
    member.say("late")
    member.transport.close(4000, "late")
    member.transport.abort()
    assert bench.socket.take() == []
    assert bench.closed() is None
    assert not bench.socket.aborted


async def test_a_channel_that_is_shut_while_it_opens_leaves_as_soon_as_it_has_joined(
    bench: Bench,
) -> None:
    bench.held = True
    await bench.say("open a", "a:early", "shut a", "reply after")
    assert bench.words.over == ["a"]
    bench.let_in("a")
    await bench.settle()
    assert bench.members["a"].ends == [(1000, "", True)]
    assert bench.members["a"].heard == []
    assert bench.socket.take() == ["opened a", "after"]


async def test_a_channel_opened_again_joins_only_after_the_old_one_is_gone(bench: Bench) -> None:
    bench.held = True
    await bench.say("open a", "shut a", "open a", "a:for the new one")
    assert len(bench.doors["a"]) == 1, "the second join has not begun"
    bench.let_in("a")
    await bench.settle()
    bench.let_in("a")
    await bench.settle()
    old, new = bench.all_members
    assert old.ends == [(1000, "", True)]
    assert old.heard == []
    assert new.ends == []
    assert new.heard == ["for the new one"]
    assert bench.socket.take() == ["opened a", "opened a", "a:welcome to a"]


async def test_when_the_socket_ends_every_channel_does(bench: Bench) -> None:
    await bench.say("open a", "open b")
    bench.held = True
    await bench.say("open c")
    bench.socket.take()
    bench.socket.leave(1006, clean=False)
    bench.let_in("c")
    await bench.settle()
    assert bench.members["a"].ends == bench.members["b"].ends == [(1006, "", False)]
    assert bench.members["c"].ends == [(1000, "", True)]
    assert bench.socket.take() == []
    await bench.say("a:too late")
    assert bench.members["a"].heard == []


async def test_a_refusal_after_the_socket_ended_is_told_to_nobody(bench: Bench) -> None:
    bench.held = True
    await bench.say("open a")
    bench.socket.leave()
    bench.turn_away("a", Overloaded())
    await bench.settle()
    assert bench.closed() is None


async def test_an_object_that_closes_its_channel_closes_the_socket(bench: Bench) -> None:
    await bench.say("open a", "open b")
    bench.members["a"].transport.close(4000, "enough")
    assert bench.closed() == (4000, "enough")


async def test_an_object_that_aborts_its_channel_aborts_the_socket(bench: Bench) -> None:
    await bench.say("open a")
    bench.members["a"].transport.abort()
    assert bench.socket.aborted


async def test_one_full_object_stops_the_socket_until_none_is_full(bench: Bench) -> None:
    await bench.say("open a", "open b")
    seen = []
    for act in (
        bench.members["a"].transport.pause_reading,
        bench.members["b"].transport.pause_reading,
        bench.members["a"].transport.resume_reading,
        bench.members["b"].transport.resume_reading,
    ):
        act()
        seen.append(bench.socket.reading)
    assert seen == [False, False, False, True]


async def test_a_full_object_that_is_left_stops_nobody_any_more(bench: Bench) -> None:
    await bench.say("open a")
    bench.members["a"].transport.pause_reading()
    await bench.say("shut a")
    assert bench.socket.reading


async def test_what_waits_for_opening_channels_is_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "_WAITING_CHARS", 10)
    bench.held = True
    await bench.say("open a", "open b", "a:12345", "b:12345", "shut a", "b:12345")
    assert bench.closed() is None
    await bench.say("b:1")
    bench.let_in("a")
    bench.let_in("b")
    await bench.settle()
    assert bench.closed() == (1013, "overloaded")


async def test_what_an_object_says_before_the_client_knows_the_channel_counts_as_unsent(
    bench: Bench,
) -> None:
    bench.held = True
    await bench.say("open a", "open b")
    bench.let_in("b")
    await bench.settle()
    transport = bench.members["b"].transport
    first = transport.buffered_bytes
    bench.members["b"].say("x" * 100)
    assert transport.buffered_bytes - first == 100
    bench.let_in("a")
    await bench.settle()
    assert transport.buffered_bytes == 0


async def test_text_with_half_a_surrogate_pair_passes_unharmed(bench: Bench) -> None:
    await bench.say("open a")
    bench.socket.take()
    assert bench.channels.wrap("a", "\ud83d".encode("utf-8", "surrogatepass")) == (
        b"a:" + "\ud83d".encode("utf-8", "surrogatepass")
    )
