"""How long the event of a socket's message may take (M, 207), and an event of a class."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, ClassVar

import pytest

from app.core.errors import EventTimedOut, NamespaceClassInvalid
from app.sdk import Connection, DurableObject
from app.testing.harness import ObjectHarness
from tests.unit.room.seen import closed

_SEVEN_DAYS_MS = 604_800_000


class Slow(DurableObject):
    """Never gets done with some messages."""

    step: ClassVar[Callable[["Slow"], Any]]

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "stuck":
            self.ctx.storage.put("key", "of the event that was cut off")
            await asyncio.get_running_loop().create_future()
        connection.send(f"heard {message!s}")

    async def do(self) -> None:
        Slow.step(self)

    async def never(self) -> None:
        await asyncio.get_running_loop().create_future()


class Hasty(Slow):
    """Its events have next to no time."""

    event_timeout_seconds = 0.01


class Plain(Slow):
    """Its message hook is a plain function that returns something to await."""

    def on_message(self, connection: Connection, message: str | bytes) -> Any:
        return Slow.on_message(self, connection, message)


class Free(Slow):
    """The same by the rules of the input gate."""

    interleave = True


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    classes = {"slow": Slow, "plain": Plain, "free": Free, "hasty": Hasty}
    async with ObjectHarness(classes) as made:
        yield made


async def _set(harness: ObjectHarness, kind: str, milliseconds: int | None) -> None:
    Slow.step = lambda slow: slow.ctx.set_message_timeout(milliseconds)
    await harness.stub(kind, "a").do()


@pytest.mark.parametrize("kind", ["slow", "plain", "free"])
async def test_207_a_message_takes_no_longer_than_its_time_out(
    harness: ObjectHarness, kind: str
) -> None:
    """A message's event is cut off after the time that was set; 0 clears it, over 7 days raises."""
    for wrong in (_SEVEN_DAYS_MS + 1, -1):
        Slow.step = partial(_refused, wrong)
        await harness.stub(kind, "a").do()
    await _set(harness, kind, _SEVEN_DAYS_MS)
    await _set(harness, kind, 10)
    client = await harness.connect(kind, "a")
    await harness.rest(kind, "a")
    client.say("stuck")
    while closed(client) is None:
        await asyncio.get_running_loop().run_in_executor(None, harness.clock.monotonic)
        await harness.settle()
    assert closed(client) == (1011, "event_timed_out")
    await _set(harness, kind, 0)
    other = await harness.connect(kind, "a")
    other.say("hello")
    await harness.settle()
    assert other.take() == ["heard hello"]


async def test_an_event_of_a_class_takes_no_longer_than_the_class_says(
    harness: ObjectHarness,
) -> None:
    with pytest.raises(EventTimedOut):
        await harness.stub("hasty", "a").never()


def test_a_class_cannot_ask_for_no_time_at_all() -> None:
    class Wrong(DurableObject):
        event_timeout_seconds = 0.0

    with pytest.raises(NamespaceClassInvalid, match="more than 0"):
        ObjectHarness({"wrong": Wrong})


def _refused(wrong: int, slow: Slow) -> None:
    with pytest.raises(ValueError, match="604800000"):
        slow.ctx.set_message_timeout(wrong)
