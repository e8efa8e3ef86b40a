"""Objects that sleep while their clients stay connected (M, 194 to 199)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.sdk import Connection, Request
from app.testing.harness import ObjectHarness
from tests.conformance import hall
from tests.conformance.hall import Hall, asleep, closed, told


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    hall.reset()
    async with ObjectHarness({"hall": Hall}) as made:
        yield made


async def test_194_after_ten_idle_seconds_the_instance_is_dropped_and_the_client_stays(
    harness: ObjectHarness,
) -> None:
    """After 10 s without an event the instance is dropped; its clients stay connected."""
    alice = await harness.connect("hall", "a")
    await harness.advance(9)
    assert not asleep(harness)
    await harness.advance(3)
    assert asleep(harness)
    assert closed(alice) is None


async def test_195_a_message_wakes_the_object_and_its_answer_comes_back(
    harness: ObjectHarness,
) -> None:
    """The next message starts an instance, which answers the same client."""
    Hall.hooks["message"] = lambda _self, connection, text: connection.send(f"heard {text}")
    alice = await harness.connect("hall", "a")
    await harness.rest("hall", "a")
    assert len(told("start")) == 1
    alice.say("hello")
    await harness.settle()
    assert [name for name, *_ in Hall.told] == ["start", "connect", "start", "message"]
    assert alice.take() == ["heard hello"]


async def test_196_a_request_wakes_the_object_which_finds_its_clients(
    harness: ObjectHarness,
) -> None:
    """An HTTP request wakes the object as well, and it can speak to its clients."""

    def request(self: Hall) -> None:
        for connection in self.ctx.connections():
            connection.send(f"hello {connection.id}")

    alice = await harness.connect("hall", "a")
    await harness.rest("hall", "a")
    Hall.hooks["request"] = request
    await harness.request("hall", "a", Request())
    assert alice.take() == ["hello connection-1"]


async def test_198_sockets_opened_at_the_same_moment_do_not_keep_the_object_awake(
    harness: ObjectHarness,
) -> None:
    """Two sockets opened at the same moment still let the object sleep later."""
    both = await asyncio.gather(harness.connect("hall", "a"), harness.connect("hall", "a"))
    await harness.advance(12)
    assert asleep(harness)
    assert [closed(each) for each in both] == [None, None]


async def test_199_an_instance_that_cannot_start_closes_the_socket_that_woke_it(
    harness: ObjectHarness,
) -> None:
    """When the constructor raises on waking, the client sees its socket closed."""
    alice, bob = await harness.connect("hall", "a"), await harness.connect("hall", "a")
    await harness.rest("hall", "a")
    Hall.hooks["start"] = lambda _self: 1 / 0
    alice.say("wake")
    await harness.settle()
    assert closed(alice) == (1011, "object_fault")
    assert closed(bob) is None


async def test_a_class_may_sleep_on_when_a_client_leaves(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Connection] = []

    def connect(_self: Hall, connection: Connection) -> None:
        connection.tag("here")
        kept.append(connection)

    monkeypatch.setattr(Hall, "wakes_on_close", False)
    Hall.hooks["connect"] = connect
    alice, bob = await harness.connect("hall", "a"), await harness.connect("hall", "a")
    await harness.rest("hall", "a")
    alice.leave()
    bob.leave(1002, "broken", clean=False)
    await harness.settle()
    assert asleep(harness)
    assert told("close") == told("error") == []
    assert [each.tags for each in kept] == [frozenset(), frozenset()]


async def test_a_client_that_leaves_while_the_object_sleeps_is_heard_of(
    harness: ObjectHarness,
) -> None:
    def connect(_self: Hall, connection: Connection) -> None:
        connection.attachment = "who"

    seen: list[object] = []
    Hall.hooks["connect"] = connect
    Hall.hooks["close"] = lambda _self, connection, *_how: seen.append(connection.attachment)
    alice = await harness.connect("hall", "a")
    await harness.rest("hall", "a")
    alice.vanish()
    await harness.settle()
    assert seen == ["who"]
