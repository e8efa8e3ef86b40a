"""What leaves an object waits for the writes that it could reveal (E)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.errors import OwnershipLost
from app.core.values import CommitResult
from app.sdk import Connection, DurableObject, Request
from app.testing.harness import ObjectHarness
from app.testing.sockets import MemorySocket
from tests.conformance.held import Call
from tests.conformance.held import begin as begin_call
from tests.conformance.verdicts import differs, not_offered
from tests.unit.room.lab import LABS, Lab, begin, forget, interleaves, perform
from tests.unit.room.seen import closed


class Ledger(DurableObject):
    """Counts, and tells another object of it."""

    async def add(self, amount: int) -> int:
        total: int = await self.ctx.storage.get("total", 0) + amount
        self.ctx.storage.put("total", total)
        return total

    async def report(self, amount: int) -> None:
        total = await self.add(amount)
        await self.ctx.namespace("mirror").get_by_name("m").note(total)


class Mirror(DurableObject):
    """Tells everybody what it is told."""

    def on_connect(self, connection: Connection, request: Request) -> None:
        """Take everybody in."""

    async def note(self, total: int) -> None:
        self.ctx.broadcast(str(total))


@pytest.fixture(params=LABS)
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": request.param, "ledger": Ledger, "mirror": Mirror}) as made:
        yield made


@pytest.fixture
async def alice(harness: ObjectHarness) -> MemorySocket:
    return await harness.connect("lab", "a")


async def _read(lab: Lab) -> dict[str, Any]:
    return await lab.storage.list()


async def _says(harness: ObjectHarness, alice: MemorySocket, step: Any) -> list[str | bytes]:
    """What a client hears of an event before its writes are committed."""
    harness.committer.hold()
    event = begin(harness, step)
    await harness.settle()
    heard = alice.take()
    harness.committer.release()
    await event
    await harness.settle()
    return heard


async def test_053_an_answer_to_http_waits_for_the_write(harness: ObjectHarness) -> None:
    """An HTTP answer that is made after a put is not sent before the put is durable."""
    harness.committer.hold()
    event = begin(harness, lambda lab: lab.storage.put("key", 1))
    await harness.settle()
    assert not event.done()
    harness.committer.commit_now()
    await event


async def test_054_the_result_of_a_call_waits_for_the_write(harness: ObjectHarness) -> None:
    """The result of a call that is made after a put is held likewise."""
    harness.committer.hold()
    call: Call = begin_call(harness.stub("ledger", "a").add(2))
    await harness.settle()
    assert not call.done()
    harness.committer.commit_now()
    assert await call == 2


async def test_055_a_message_waits_for_the_write(
    harness: ObjectHarness, alice: MemorySocket
) -> None:
    """A message that is sent to a WebSocket after a put is held until the put is durable."""

    def step(lab: Lab) -> None:
        lab.storage.put("key", 1)
        lab.ctx.broadcast("written")

    assert await _says(harness, alice, step) == []
    assert alice.take() == ["written"]


async def test_056_the_close_of_a_socket_waits_for_the_write(
    harness: ObjectHarness, alice: MemorySocket
) -> None:
    """The close of a WebSocket after a put is held until the put is durable."""

    def step(lab: Lab) -> None:
        lab.storage.put("key", 1)
        for connection in lab.ctx.connections():
            connection.close(4000, "written")

    harness.committer.hold()
    event = begin(harness, step)
    await harness.settle()
    assert closed(alice) is None
    harness.committer.release()
    await event
    assert closed(alice) == (4000, "written")


@differs(
    "calls of other objects are held; HTTP that an author sends with a library of their own is "
    "not seen by us, and goes after `await storage.sync()`"
)
async def test_057_a_call_of_another_object_waits_for_the_write(harness: ObjectHarness) -> None:
    """A call of another object, or HTTP going out, waits for the writes before it."""
    eve = await harness.connect("mirror", "m")
    sent: list[str] = []

    async def step(lab: Lab) -> None:
        lab.storage.put("key", 1)
        await lab.storage.sync()
        sent.append("by a library of the author's")

    harness.committer.hold()
    report: Call = begin_call(harness.stub("ledger", "a").report(2))
    event = begin(harness, step)
    await harness.settle()
    assert (eve.take(), sent) == ([], [])
    harness.committer.release()
    await report
    await event
    assert (eve.take(), sent) == (["2"], ["by a library of the author's"])


@differs(
    "it holds for classes that interleave; by default what an event says leaves together with what "
    "it writes, for an event that raises must have said nothing"
)
async def test_058_a_message_made_before_the_put_is_not_delayed(
    harness: ObjectHarness, alice: MemorySocket
) -> None:
    """A message that was made before a put is not delayed by it."""

    async def step(lab: Lab) -> None:
        lab.ctx.broadcast("before")
        lab.storage.put("key", 1)
        lab.ctx.broadcast("after")

    harness.committer.hold()
    await perform(harness, lambda lab: lab.ctx.broadcast("in an earlier event"))
    heard = await _says(harness, alice, step)
    assert heard == ["in an earlier event", *(["before"] if interleaves(harness) else [])]
    assert heard + alice.take() == ["in an earlier event", "before", "after"]


async def test_059_what_was_held_is_never_sent_when_the_commit_fails(
    harness: ObjectHarness, alice: MemorySocket
) -> None:
    """If the commit fails, what was held is never sent, who asked gets an error, the room ends."""

    def step(lab: Lab) -> None:
        lab.storage.put("key", 1)
        lab.ctx.broadcast("never")

    begun = Lab.begun
    harness.committer.fail_next(CommitResult.LOST)
    with pytest.raises(OwnershipLost):
        await perform(harness, step)
    assert (alice.take(), closed(alice)) == ([], (1012, "ownership_lost"))
    await perform(harness, _read)
    assert Lab.begun == begun + 1, "started anew"


async def test_060_after_a_failed_commit_nothing_of_it_is_read(harness: ObjectHarness) -> None:
    """After such an end, a new read shows nothing of the batch that failed."""

    def step(lab: Lab) -> None:
        lab.storage.put("key", "new")
        lab.storage.put("more", 1)

    await perform(harness, lambda lab: lab.storage.put("key", "old"))
    harness.committer.fail_next(CommitResult.UNAVAILABLE)
    with pytest.raises(Exception, match=r".+"):
        await perform(harness, step)
    assert await perform(harness, _read) == {"key": "old"}


async def test_061_an_unconfirmed_put_holds_nothing_back(
    harness: ObjectHarness, alice: MemorySocket
) -> None:
    """A put with allow_unconfirmed holds no messages back."""

    def step(lab: Lab) -> None:
        lab.storage.put("key", 1, allow_unconfirmed=True)
        lab.ctx.broadcast("at once")

    assert await _says(harness, alice, step) == ["at once"]
    assert harness.contents("lab", "a") == {"key": 1}


async def test_062_one_confirmed_write_holds_everything_back(
    harness: ObjectHarness, alice: MemorySocket
) -> None:
    """A confirmed write in the batch of unconfirmed ones holds messages back."""

    def step(lab: Lab) -> None:
        lab.storage.put("a", 1, allow_unconfirmed=True)
        lab.storage.put("b", 1)
        lab.ctx.broadcast("later")

    assert await _says(harness, alice, step) == []
    assert alice.take() == ["later"]


@not_offered("there is no SQL interface")
async def test_063_there_is_no_sql_to_write_with(harness: ObjectHarness) -> None:
    """A write by SQL is always confirmed."""
    assert not await perform(harness, lambda lab: hasattr(lab.storage, "sql"))


async def test_064_a_failed_commit_of_unconfirmed_writes_ends_the_room(
    harness: ObjectHarness, alice: MemorySocket
) -> None:
    """A commit of nothing but unconfirmed writes that fails still resets the object."""
    harness.committer.fail_next(CommitResult.LOST)
    await perform(harness, lambda lab: lab.storage.put("a", 1, allow_unconfirmed=True))
    await harness.settle()
    assert closed(alice) == (1012, "ownership_lost")
    assert await perform(harness, _read) == {}


async def test_065_every_write_may_be_unconfirmed(
    harness: ObjectHarness, alice: MemorySocket
) -> None:
    """Deletes, puts of many, deletes of many and alarms may be unconfirmed like a put."""

    async def step(lab: Lab) -> None:
        lab.storage.put_many({"b": 2}, allow_unconfirmed=True)
        await lab.storage.delete("a", allow_unconfirmed=True)
        await lab.storage.delete_many(["b", "c"], allow_unconfirmed=True)
        lab.storage.put("d", 1, expires_at=lab.ctx.now() + 1_000, allow_unconfirmed=True)
        lab.ctx.broadcast("at once")

    assert await _says(harness, alice, step) == ["at once"]
    assert harness.committer.committed[0].entries.keys() == {b"a", b"b", b"c", b"d"}


@pytest.mark.parametrize("kind", ["unconfirmed", "rolled back", "confirmed inside"])
async def test_066_a_transaction_holds_messages_back_if_something_in_it_is_confirmed(
    harness: ObjectHarness, alice: MemorySocket, kind: str
) -> None:
    """A transaction holds messages back once it ends well, if a write kept in it is confirmed."""

    async def step(lab: Lab) -> None:
        async with lab.storage.transaction() as outer:
            outer.put("a", 1, allow_unconfirmed=True)
            async with lab.storage.transaction() as inner:
                inner.put("b", 1, allow_unconfirmed=kind == "unconfirmed")
                if kind == "rolled back":
                    inner.rollback()
        lab.ctx.broadcast("said")

    held = kind == "confirmed inside"
    assert await _says(harness, alice, step) == ([] if held else ["said"])
    assert alice.take() == (["said"] if held else [])


async def test_068_what_another_object_says_of_a_write_comes_after_it(
    harness: ObjectHarness,
) -> None:
    """What another object says in reaction comes after the write is durable."""
    eve = await harness.connect("mirror", "m")
    harness.committer.hold()
    call: Call = begin_call(harness.stub("ledger", "a").report(1))
    await harness.settle()
    assert eve.take() == []
    harness.committer.commit_now()
    assert harness.contents("ledger", "a") == {"total": 1}
    harness.committer.release()
    await call
    assert eve.take() == ["1"]


async def test_delete_all_holds_messages_back_like_every_write(
    harness: ObjectHarness, alice: MemorySocket
) -> None:
    def step(lab: Lab) -> None:
        lab.storage.delete_all()
        lab.ctx.broadcast("gone")

    await perform(harness, lambda lab: lab.storage.put("key", 1))
    await forget(harness)
    assert await _says(harness, alice, step) == []
    assert alice.take() == ["gone"]
