"""Pings of the server: who answers lives, and who is gone is told as one that vanished."""

from collections.abc import AsyncIterator

import pytest

from app.core.sockets import NO_PONG
from app.testing.harness import ObjectHarness
from tests.conformance import hall
from tests.conformance.hall import Hall, asleep, told
from tests.conformance.wired import WiredClient, wired
from tests.integration.web.wire_socket import CLOSE, PING, PONG, close_frame, frame, text_frame

from .socket_bench import Bench, Gate, turns

A_LITTLE_LATE = 21.0
"""Looks may be late by one part in 32."""


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    hall.reset()
    async with ObjectHarness({"hall": Hall}) as made:
        yield made


def ping(client: WiredClient) -> bytes:
    """Let the time of a ping come; returns its payload."""
    client.clock.advance(A_LITTLE_LATE)
    ((opcode, payload),) = client.take()
    assert opcode == PING
    return payload


def wait_in_vain(client: WiredClient) -> None:
    """Let the time go by in which a pong should have come."""
    client.clock.advance(A_LITTLE_LATE)


async def test_a_sleeping_object_has_its_client_pinged_and_hears_nothing_of_it(
    harness: ObjectHarness,
) -> None:
    async with wired(harness) as client:
        await harness.rest("hall", "a")
        for _ in range(3):
            client.say(frame(PONG, ping(client)))
        await harness.settle()
        assert asleep(harness)
    assert told("message") == []


@pytest.mark.parametrize("sleeps", [False, True], ids=["awake", "asleep"])
async def test_a_client_that_went_silent_is_heard_of_at_once_and_once(
    harness: ObjectHarness, sleeps: bool
) -> None:
    async with wired(harness) as client:
        if sleeps:
            await harness.rest("hall", "a")
        ping(client)
        wait_in_vain(client)
        await harness.settle()
        assert told("close") == [tuple(NO_PONG)]
        assert told("close")[0][0] == 1006
        ((opcode, _),) = client.take()
        assert opcode == CLOSE
        assert client.wire.closing
        assert not client.wire.is_dropped()
        client.clock.advance(6)  # nobody takes the close frame
        assert client.wire.is_dropped()
    await harness.settle()
    assert len(told("close")) == 1
    assert told("error") == []


async def test_whoever_says_anything_lives_even_if_its_pong_is_late(
    harness: ObjectHarness,
) -> None:
    async with wired(harness) as client:
        payload = ping(client)
        client.say(text_frame("a large message that comes slowly")[:-5])
        ping(client)  # half a frame is a sign of life: it is asked anew
        await harness.settle()
        assert told("close") == []
        client.say(text_frame("a large message that comes slowly")[-5:] + frame(PONG, payload))
        ping(client)
        wait_in_vain(client)
        await harness.settle()
        assert [code for code, *_ in told("close")] == [1006]


async def test_whoever_takes_what_stands_before_the_ping_lives(harness: ObjectHarness) -> None:
    async with wired(harness) as client:
        client.wire.unsent = 1_000_000
        ping(client)
        client.wire.unsent = 900_000
        wait_in_vain(client)
        await harness.settle()
        assert told("close") == []
        client.wire.unsent = 899_000  # it crawls: so somebody holds memory for ever
        wait_in_vain(client)
        await harness.settle()
        assert [code for code, *_ in told("close")] == [1006]


async def test_a_client_that_is_not_read_is_not_silent_by_its_own_fault(
    harness: ObjectHarness,
) -> None:
    async with wired(harness) as client:
        (member,) = (await harness.room("hall", "a")).members
        ping(client)
        member.transport.pause_reading()
        wait_in_vain(client)
        wait_in_vain(client)
        member.transport.resume_reading()
        await harness.settle()
        assert told("close") == []
        assert client.take() == []


async def test_a_client_whose_object_is_still_looked_for_is_not_taken_for_silent() -> None:
    gate = Gate(slow=True)
    gate.joined.clear()
    bench = Bench(gate)
    bench.clock.advance(100)
    gate.decided.set()
    await turns()
    assert not bench.wire.is_read()
    bench.clock.advance(100)
    assert not bench.wire.is_closing()
    gate.joined.set()
    await turns()
    assert bench.wire.is_read()
    bench.clock.advance(60)
    assert bench.wire.is_closing()
    assert gate.sink.ends == [NO_PONG]
    await bench.end()
    assert len(gate.sink.ends) == 1


async def test_a_client_that_has_closed_is_not_taken_for_a_silent_one(
    harness: ObjectHarness,
) -> None:
    async with wired(harness) as client:
        ping(client)
        client.say(close_frame(4001, "bye"))
        wait_in_vain(client)
        wait_in_vain(client)
        await harness.settle()
        assert told("close") == [(4001, "bye", True)]
