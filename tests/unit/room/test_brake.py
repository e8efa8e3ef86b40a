"""A full room stops the reading of its sockets, and nobody is forgotten when it goes on."""

import asyncio

import pytest

from app.core.errors import RoomAborted
from app.core.tasks import TaskOwner
from app.room.limits import RoomLimits
from app.sdk import Connection, Receipt, Request
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, begin, perform
from tests.unit.room.objects import PlainCounter, Sleeper
from tests.unit.room.seen import closed, reading

tasks = TaskOwner("test")


async def test_too_much_unconfirmed_stops_the_reading_until_it_is_committed() -> None:
    limits = RoomLimits(buffer_bytes=5)
    async with ObjectHarness({"plain": PlainCounter}, limits=limits) as harness:
        alice = await harness.connect("plain", "a")
        bob = await harness.connect("plain", "a")
        harness.committer.hold()
        alice.say("count")
        alice.say("count")
        bob.say("count")
        assert not reading(alice)
        assert not reading(bob)
        harness.committer.release()
        await harness.settle()
        assert reading(alice)
        assert reading(bob)
        assert alice.take() == ["1", "2", "3"]


async def test_awaiting_a_put_waits_while_the_buffer_is_full_and_ends_with_the_commit() -> None:
    async def step(lab: Lab) -> None:
        await lab.storage.put("first", "xxxxxxxxxx")
        syncing = lab.storage.sync()
        begun.append("first")
        await syncing
        begun.append("second")

    begun: list[str] = []
    async with ObjectHarness({"lab": Lab}, limits=RoomLimits(buffer_bytes=5)) as harness:
        harness.committer.hold()
        await perform(
            harness, lambda lab: lab.storage.put("zero", "x" * 10, allow_unconfirmed=True)
        )
        event = begin(harness, step)
        await harness.settle()
        assert begun == [], "the next event does not even begin while the buffer is full"
        harness.committer.release()
        await event
        assert begun == ["first", "second"]


async def test_a_put_awaited_in_the_middle_of_an_event_goes_on_with_the_commit() -> None:
    async def step(lab: Lab) -> str:
        lab.storage.put("first", "x" * 10, allow_unconfirmed=True)
        lab.ctx.storage.delete("none", allow_unconfirmed=True)
        syncing = begin_sync(lab)
        await harness.settle()
        await lab.storage.put("second", "x" * 10)
        return str((await syncing).commit_seq)

    def begin_sync(lab: Lab) -> "asyncio.Task[Receipt]":
        return tasks.start(lab.storage.sync(), name="sync")

    async with ObjectHarness({"lab": Lab}, limits=RoomLimits(buffer_bytes=5)) as harness:
        harness.committer.hold()
        event = begin(harness, step)
        await harness.settle()
        await harness.settle()
        assert not event.done()
        harness.committer.release()
        assert await event == "1"


async def test_a_room_that_is_aborted_while_a_writer_waits_lets_it_go() -> None:
    async with ObjectHarness({"lab": Lab}, limits=RoomLimits(buffer_bytes=5)) as harness:
        harness.committer.hold()
        await perform(
            harness, lambda lab: lab.storage.put("zero", "x" * 10, allow_unconfirmed=True)
        )
        event = begin(harness, lambda _lab: None)
        await harness.settle()
        room = harness.live_room("lab", "a")
        assert room is not None
        room.abort(RoomAborted("now"))
        with pytest.raises(RoomAborted):
            await event


async def test_who_left_while_stopped_is_not_asked_to_go_on() -> None:
    Sleeper.waits = []
    limits = RoomLimits(mailbox_events=1)
    async with ObjectHarness({"sleeper": Sleeper}, limits=limits) as harness:
        alice = await harness.connect("sleeper", "a")
        bob = await harness.connect("sleeper", "a")
        alice.say("1")
        bob.say("2")
        assert not reading(bob)
        bob.leave()
        await harness.settle()
        while Sleeper.waits:
            Sleeper.waits.pop().set_result(None)
            await harness.settle()
        assert not reading(bob)
        assert closed(alice) is None


class Talker(Lab):
    """Answers requests while its messages wait."""

    def on_connect(self, connection: Connection, request: Request) -> None:
        connection.send("welcome")


async def test_a_message_that_had_to_wait_in_a_room_with_space_stops_nobody() -> None:
    async with ObjectHarness({"lab": Talker}) as harness:
        alice = await harness.connect("lab", "a")
        assert alice.take() == ["welcome"]
        assert reading(alice)


@pytest.mark.parametrize("way", ["aborted", "drained"])
async def test_a_stopped_socket_of_a_room_that_ends_reads_again_to_see_the_clients_goodbye(
    way: str,
) -> None:
    Sleeper.waits = []
    limits = RoomLimits(mailbox_events=1)
    async with ObjectHarness({"sleeper": Sleeper}, limits=limits) as harness:
        alice = await harness.connect("sleeper", "a")
        alice.say("1")
        alice.say("2")
        assert not reading(alice)
        await harness.settle()
        room = harness.live_room("sleeper", "a")
        assert room is not None
        if way == "aborted":
            room.abort(RoomAborted())
        else:
            draining = tasks.start(harness.registry.drain(deadline_seconds=60), name="drain")
            for _ in range(2):
                await harness.settle()
                Sleeper.waits.pop().set_result(None)
            await draining
        assert closed(alice) is not None
        assert reading(alice)


async def test_a_client_that_is_turned_away_from_a_full_room_is_not_stopped() -> None:
    Sleeper.waits = []
    limits = RoomLimits(mailbox_events=1)
    async with ObjectHarness({"sleeper": Sleeper}, limits=limits) as harness:
        alice = await harness.connect("sleeper", "a")
        for number in range(5):
            alice.say(str(number))
        assert closed(alice) == (1013, "queue_full")
        assert reading(alice)
