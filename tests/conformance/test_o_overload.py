"""Too much for one object: each bound has an error of its own, and others feel nothing (O)."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from app.core.errors import (
    Overloaded,
    QueuedTooLong,
    QueueFull,
    QueueTooLarge,
    StateroomError,
    TooManyRequests,
)
from app.room.limits import RoomLimits
from app.sdk import DurableObject
from app.testing.harness import ObjectHarness
from tests.conformance import held
from tests.conformance.held import Held, begin, let_go
from tests.unit.room.seen import closed

LIMITS = RoomLimits(
    mailbox_events=5, mailbox_bytes=2_000, queue_seconds=20, requests_per_10_seconds=40
)


class SelfCaller(DurableObject):
    """Calls itself while nobody else may run."""

    async def say(self, word: str) -> str:
        return word

    async def call_in_a_section(self) -> str:
        return await self.ctx.block_concurrency_while(self.call)

    async def call(self) -> str:
        stub = self.ctx.namespace(self.ctx.id.namespace).get(self.ctx.id)
        word: str = await stub.say("to itself")
        return word


class FreeSelfCaller(SelfCaller):
    """The same by the rules of the input gate."""

    interleave = True


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    held.reset()
    async with ObjectHarness({"held": Held}, limits=LIMITS) as made:
        yield made


async def _fill_by_count(harness: ObjectHarness) -> StateroomError:
    stub = held.held(harness)
    blocking = begin(stub.hold("gate"))
    await harness.settle()
    for _ in range(2 * LIMITS.mailbox_events):
        begin(stub.note("waits"))
    return await _refusal_of(harness, begin(stub.note("one too many")), blocking)


async def _fill_by_bytes(harness: ObjectHarness) -> StateroomError:
    stub = held.held(harness)
    blocking = begin(stub.hold("gate"))
    await harness.settle()
    begin(stub.note("x" * 2 * LIMITS.mailbox_bytes))
    return await _refusal_of(harness, begin(stub.note("one too many")), blocking)


async def _wait_too_long(harness: ObjectHarness) -> StateroomError:
    stub = held.held(harness, deadline_seconds=60)
    blocking = begin(stub.hold("gate"))
    await harness.settle()
    waiting = begin(stub.note("one too many"))
    await harness.advance(LIMITS.queue_seconds + 1)
    return await _refusal_of(harness, waiting, blocking)


async def _ask_too_often(harness: ObjectHarness) -> StateroomError:
    stub = held.held(harness)
    assert LIMITS.requests_per_10_seconds is not None
    for _ in range(LIMITS.requests_per_10_seconds):
        await stub.note("asked")
    with pytest.raises(Overloaded) as refused:
        await stub.note("one too many")
    await harness.advance(10)
    await stub.note("asked")
    return refused.value


async def _refusal_of(harness: ObjectHarness, *calls: held.Call) -> StateroomError:
    refused, blocking = calls
    await harness.settle()
    let_go("gate")
    assert await blocking == "gate"
    with pytest.raises(Overloaded) as raised:
        await refused
    return raised.value


@pytest.mark.parametrize(
    ("overload", "kind"),
    [
        (_fill_by_count, QueueFull),
        (_fill_by_bytes, QueueTooLarge),
        (_wait_too_long, QueuedTooLong),
        (_ask_too_often, TooManyRequests),
    ],
    ids=["count", "bytes", "age", "rate"],
)
async def test_234_each_bound_of_a_queue_has_an_error_of_its_own(
    harness: ObjectHarness,
    overload: Callable[[ObjectHarness], Awaitable[StateroomError]],
    kind: type[Overloaded],
) -> None:
    """Too many events, too many bytes, too long a wait and too many requests each have an error."""
    error = await overload(harness)
    assert type(error) is kind
    assert error.overloaded
    assert not error.retryable
    assert error.remedy
    assert "one too many" not in Held.heard, "what was refused has not run"
    assert await held.held(harness).note("afterwards") == "afterwards"


async def test_a_socket_whose_message_waited_too_long_is_closed_and_its_messages_are_not_run(
    harness: ObjectHarness,
) -> None:
    client = await harness.connect("held", "a")
    blocking = begin(held.held(harness, deadline_seconds=60).hold("gate"))
    await harness.settle()
    client.say("late")
    client.say("later")
    await harness.advance(LIMITS.queue_seconds + 1)
    let_go("gate")
    await blocking
    await harness.settle()
    assert closed(client) == (1013, "queued_too_long")
    assert Held.heard == ["hold gate"]


async def test_messages_of_sockets_do_not_count_as_requests(harness: ObjectHarness) -> None:
    client = await harness.connect("held", "a")
    assert LIMITS.requests_per_10_seconds is not None
    for _ in range(2 * LIMITS.requests_per_10_seconds):
        client.say("often")
        await harness.settle()
    assert client.take() == ["heard often"] * 2 * LIMITS.requests_per_10_seconds


async def test_235_an_overloaded_object_does_not_disturb_its_neighbours(
    harness: ObjectHarness,
) -> None:
    """While one object is overloaded, every other object of the worker answers as ever."""
    blocking = begin(held.held(harness).hold("gate"))
    await harness.settle()
    crowd = [begin(held.held(harness).note("waits")) for _ in range(3 * LIMITS.mailbox_events)]
    neighbour = held.held(harness, "neighbour")
    for number in range(10):
        assert await neighbour.add(1) == number + 1
    assert any(call.done() and isinstance(call.exception(), QueueFull) for call in crowd)
    assert not blocking.done()
    let_go("gate")
    await blocking


@pytest.mark.parametrize("cls", [SelfCaller, FreeSelfCaller])
async def test_236_an_object_that_calls_itself_in_a_critical_section_gets_an_error(
    cls: type[SelfCaller],
) -> None:
    """An object that calls itself inside a critical section gets an error, and does not hang."""
    async with ObjectHarness({"self": cls}) as harness:
        calling = begin(harness.stub("self", "a").call_in_a_section())
        await harness.advance(31)
        assert calling.done()
        assert isinstance(calling.exception(), StateroomError)
        assert await harness.stub("self", "a").say("afterwards") == "afterwards"
