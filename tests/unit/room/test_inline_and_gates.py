"""Plain message hooks, which run inline, and the gate: in both modes."""

from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest

from app.sdk import Connection, DurableObject
from app.testing.sockets import MemorySocket
from tests.conformance.gate_stage import HeldStore, StageHarness, future
from tests.unit.room.seen import closed


class Plain(DurableObject):
    """Its message hook is a plain function, which does what a test has put into `steps`."""

    steps: ClassVar[dict[str, Callable[..., Any]]] = {}

    def on_message(self, connection: Connection, message: str | bytes) -> Any:
        return self.steps[str(message)](self, connection)


class FreePlain(Plain):
    """The same by the rules of the input gate."""

    interleave = True


class InlineHarness(StageHarness):
    """With these two as well."""

    classes: ClassVar[dict[str, type[DurableObject]]] = {"plain": Plain, "free": FreePlain}


@pytest.fixture
async def harness() -> AsyncIterator[InlineHarness]:
    async with InlineHarness() as made:
        yield made


@pytest.fixture(params=["plain", "free"])
def kind(request: pytest.FixtureRequest) -> str:
    """One event at a time, and interleaving ones."""
    return str(request.param)


def _quick(_self: Plain, connection: Connection) -> None:
    connection.send("quick")


async def _two(harness: InlineHarness, kind: str) -> tuple[MemorySocket, MemorySocket]:
    sockets = await harness.connect(kind, "a"), await harness.connect(kind, "a")
    (await harness.room(kind, "a")).lane.cache.clear()
    assert isinstance(harness.slow, HeldStore)
    return sockets


async def test_a_message_does_not_run_while_work_in_the_background_reads(
    harness: InlineHarness, kind: str
) -> None:
    async def read(self: Plain, connection: Connection) -> None:
        await self.ctx.storage.get("key")
        connection.send("read")

    def begin(self: Plain, connection: Connection) -> None:
        self.ctx.wait_until(read(self, connection))

    Plain.steps = {"begin": begin, "quick": _quick}
    alice, bob = await _two(harness, kind)
    harness.slow.reads.clear()
    alice.say("begin")
    await harness.settle()
    bob.say("quick")
    await harness.settle()
    assert bob.take() == []
    harness.slow.reads.set()
    await harness.settle()
    assert (alice.take(), bob.take()) == (["read"], ["quick"])


async def test_a_section_that_a_plain_hook_begins_holds_the_next_message(
    harness: InlineHarness, kind: str
) -> None:
    inside = future()

    def block(self: Plain, connection: Connection) -> None:
        async def wait() -> None:
            await inside
            connection.send("inside")

        self.ctx.block_concurrency_while(wait)

    Plain.steps = {"block": block, "quick": _quick}
    alice, bob = await _two(harness, kind)
    alice.say("block")
    bob.say("quick")
    await harness.settle()
    assert bob.take() == []
    inside.set_result(None)
    await harness.settle()
    assert (alice.take(), bob.take()) == (["inside"], ["quick"])


async def test_what_a_plain_hook_returns_to_be_awaited_goes_on_as_an_event(
    harness: InlineHarness, kind: str
) -> None:
    turn = future()

    def later(_self: Plain, connection: Connection) -> Any:
        async def wait() -> None:
            await turn
            connection.send("waited")

        return wait()

    Plain.steps = {"later": later, "quick": _quick}
    alice, bob = await _two(harness, kind)
    alice.say("later")
    bob.say("quick")
    await harness.settle()
    assert bob.take() == (["quick"] if kind == "free" else [])
    turn.set_result(None)
    await harness.settle()
    assert alice.take() == ["waited"]


async def test_a_plain_hook_that_raises_keeps_what_it_did_only_where_events_interleave(
    harness: InlineHarness, kind: str
) -> None:
    def fail(self: Plain, connection: Connection) -> None:
        self.ctx.storage.put("key", 1)
        connection.send("told")
        raise ValueError("as asked")

    Plain.steps = {"fail": fail, "quick": _quick}
    alice, bob = await _two(harness, kind)
    alice.say("fail")
    bob.say("quick")
    await harness.settle()
    assert alice.take() == (["told"] if kind == "free" else [])
    assert closed(alice) == (1011, "object_fault")
    assert bob.take() == ["quick"]
    assert harness.contents(kind, "a") == ({"key": 1} if kind == "free" else {})


async def test_an_abort_in_a_plain_hook_resets_the_room(harness: InlineHarness, kind: str) -> None:
    Plain.steps = {"abort": lambda self, _connection: self.ctx.abort("enough")}
    alice, bob = await _two(harness, kind)
    alice.say("abort")
    await harness.settle()
    assert closed(alice) == closed(bob) == (1012, "room_aborted")
    assert harness.live_room(kind, "a") is None
