"""Answers that an object gives without being asked (M, 202 to 206, and 67)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.errors import LeaseLost
from app.room.limits import RoomLimits
from app.sdk import Connection, Request
from app.testing.harness import ObjectHarness
from app.testing.sockets import MemorySocket
from tests.conformance import hall
from tests.conformance.hall import Hall, WaitingHall, asleep, closed, told
from tests.conformance.wired import wired
from tests.integration.web.wire_socket import TEXT, text_frame

_LIMIT = 2_048


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    hall.reset()
    Hall.hooks["start"] = lambda self: self.ctx.set_auto_response("ping", "pong")
    async with ObjectHarness({"hall": Hall, "waiting": WaitingHall}) as made:
        yield made


def _store(self: Hall, _connection: Connection, text: str) -> None:
    self.ctx.storage.put("said", text)
    self.ctx.broadcast(text)


async def test_067_an_answer_by_itself_does_not_wait_for_commits(harness: ObjectHarness) -> None:
    """An auto-response is sent at once, also while sends wait for a commit."""
    Hall.hooks["message"] = _store
    alice = await harness.connect("hall", "a")
    harness.committer.hold()
    alice.say("first")
    alice.say("ping")
    assert alice.take() == ["pong"]
    harness.committer.commit_now()
    assert alice.take() == ["first"]


async def test_202_the_same_text_is_answered_and_wakes_nobody(harness: ObjectHarness) -> None:
    """A text that is exactly the awaited one is answered; no hook hears it, no object wakes."""
    alice = await harness.connect("hall", "a")
    for _ in range(2):
        await harness.advance(6)
        alice.say("ping")
    assert asleep(harness)
    alice.say("ping")
    await harness.settle()
    assert alice.take() == ["pong", "pong", "pong"]
    assert asleep(harness)
    assert told("message") == []
    for other in ("Ping", "ping ", "", "pin"):
        alice.say(other)
    await harness.settle()
    assert told("message") == [("Ping",), ("ping ",), ("",), ("pin",)]
    assert alice.take() == []


async def test_203_a_binary_message_is_never_answered_by_itself(harness: ObjectHarness) -> None:
    """A binary message with the bytes of the awaited text is heard and not answered."""
    alice = await harness.connect("hall", "a")
    alice.say(b"ping")
    await harness.settle()
    assert told("message") == [(b"ping",)]
    assert alice.take() == []


async def test_204_texts_are_bounded_and_may_be_unset(harness: ObjectHarness) -> None:
    """Each text has at most 2,048 bytes; the pair can be read, replaced and unset."""
    seen: list[object] = []

    def message(self: Hall, _connection: Connection, text: str) -> None:
        ctx = self.ctx
        match text:
            case "try":
                for pair in (("x" * (_LIMIT + 1), ""), ("", "x" * (_LIMIT + 1)), ("é" * 1_025, "")):
                    with pytest.raises(ValueError, match="2048 bytes"):
                        ctx.set_auto_response(*pair)
                for wrong in ((None, "x"), ("x", None), (b"x", "x"), ("x", 1)):
                    with pytest.raises(TypeError):
                        ctx.set_auto_response(*wrong)
            case "longest":
                ctx.set_auto_response("é" * 1_024, "x" * _LIMIT)
            case "none":
                ctx.set_auto_response()
        seen.append(ctx.get_auto_response())

    Hall.hooks["message"] = message
    alice = await harness.connect("hall", "a")
    alice.say("try")
    alice.say("longest")
    alice.say("é" * 1_024)
    assert alice.take() == ["x" * _LIMIT]
    alice.say("none")
    alice.say("é" * 1_024)
    await harness.settle()
    assert seen == [("ping", "pong"), ("é" * 1_024, "x" * _LIMIT), None, None]
    assert alice.take() == []


async def test_205_each_connection_knows_when_it_was_answered(harness: ObjectHarness) -> None:
    """The time of the last auto-response is kept for each socket, also while the object sleeps."""
    seen: list[tuple[str, int | None]] = []

    def request(self: Hall) -> None:
        seen.extend((each.id, each.auto_responded_at) for each in self.ctx.connections())

    Hall.hooks["request"] = request
    Hall.hooks["message"] = lambda self, *_rest: self.ctx.set_auto_response()
    alice, _bob = await harness.connect("hall", "a"), await harness.connect("hall", "a")
    await harness.request("hall", "a", Request())
    await harness.rest("hall", "a")
    await harness.advance(5)
    at = harness.database_clock.now_ms()
    alice.say("ping")
    await harness.advance(5)
    alice.say("unset")
    await harness.settle()
    Hall.hooks["start"] = lambda _self: None
    await harness.request("hall", "a", Request())
    assert seen == [
        ("connection-1", None),
        ("connection-2", None),
        ("connection-1", at),
        ("connection-2", None),
    ]


async def test_206_answers_stand_whole_between_what_the_object_says(
    harness: ObjectHarness,
) -> None:
    """Auto-responses between sends of the object leave every frame whole and in its place."""
    Hall.hooks["message"] = lambda _self, connection, text: connection.send(text * 40)
    async with wired(harness) as client:
        said = ["ping" if number % 3 else f"{number}" for number in range(120)]
        client.say(b"".join(text_frame(text) for text in said))
        await harness.settle()
        expected = ["pong" if text == "ping" else text * 40 for text in said]
        assert client.take() == [(TEXT, text.encode()) for text in expected]


async def test_an_answer_is_given_while_an_event_runs_and_while_an_instance_starts(
    harness: ObjectHarness,
) -> None:
    doors = {"start": asyncio.Event(), "message": asyncio.Event()}
    alice = await harness.connect("waiting", "a")
    await harness.rest("waiting", "a")
    Hall.hooks["start"] = lambda _self: doors["start"].wait()
    Hall.hooks["message"] = lambda _self, *_rest: doors["message"].wait()
    alice.say("hello")
    for door in doors.values():
        await harness.settle()
        alice.say("ping")
        assert alice.take() == ["pong"]
        door.set()
    await harness.settle()
    assert told("message") == [("hello",)]


async def test_an_answer_is_not_given_past_the_lease(harness: ObjectHarness) -> None:
    alice = await harness.connect("hall", "a")
    harness.clock.advance(10)  # in one step, as when the machine slept: nothing could be renewed
    alice.say("ping")
    assert alice.take() == []
    assert closed(alice) == (1013, LeaseLost.code)


async def test_a_pair_that_an_undone_event_set_is_undone_with_it(harness: ObjectHarness) -> None:
    def message(self: Hall, connection: Connection, text: str) -> None:
        if text == "crash":
            self.ctx.set_auto_response("ping", "wrong")
            raise RuntimeError("as asked")
        connection.send(text)

    Hall.hooks["message"] = message
    alice, bob = await harness.connect("hall", "a"), await harness.connect("hall", "a")
    Hall.hooks["start"] = lambda _self: None
    alice.say("crash")
    await harness.settle()
    bob.say("ping")
    assert bob.take() == ["pong"]


async def test_a_client_that_reads_no_answers_is_closed_like_any_slow_reader() -> None:
    hall.reset()
    Hall.hooks["start"] = lambda self: self.ctx.set_auto_response("ping", "p" * _LIMIT)
    async with ObjectHarness({"hall": Hall}, limits=RoomLimits(outbox_bytes=10_000)) as harness:
        alice = await harness.connect("hall", "a")
        alice.stall()
        for _ in range(10):
            alice.say("ping")
        assert closed(alice) == (1013, "overloaded")
        assert len(alice.take()) == 4


async def test_a_connection_that_its_object_has_closed_is_not_answered(
    harness: ObjectHarness,
) -> None:
    def message(self: Hall, connection: Connection, _text: str) -> None:
        self.ctx.storage.put("key", 1)
        connection.close(4000, "enough")

    Hall.hooks["message"] = message
    alice = await harness.connect("hall", "a")
    harness.committer.hold()
    alice.say("close")
    alice.say("ping")
    harness.committer.commit_now()
    assert (alice.take(), closed(alice)) == ([], (4000, "enough"))


async def test_objects_of_one_class_answer_each_their_own(harness: ObjectHarness) -> None:
    Hall.hooks["start"] = lambda self: self.ctx.set_auto_response("ping", f"{self.ctx.id.name}!")
    sockets: list[MemorySocket] = [await harness.connect("hall", name) for name in "ab"]
    for socket in sockets:
        socket.say("ping")
    assert [socket.take() for socket in sockets] == [["a!"], ["b!"]]
