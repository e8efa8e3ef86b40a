"""The engine as a whole, on the in-memory twins: gates, units, undo, hibernation, bounds."""

import asyncio

import pytest

from app.core.errors import OwnershipLost
from app.core.mounts import Durability, Mount
from app.core.storage_codec import decode_value
from app.core.values import CommitResult
from app.room.limits import RoomLimits
from app.sdk import Connection, Request
from app.testing.harness import ObjectHarness
from tests.unit.room.objects import PlainCounter, Script, Sleeper
from tests.unit.room.seen import closed, reading


async def test_a_broadcast_reaches_everybody_and_the_write_is_stored(
    harness: ObjectHarness, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a")
    bob = await harness.connect(namespace, "a")
    alice.say("hello")
    await harness.settle()
    assert alice.take() == ["1"]
    assert bob.take() == ["1"]
    assert {key: decode_value(value) for key, value in harness.stored(namespace, "a").items()} == {
        b"count": 1
    }


async def test_nothing_leaves_before_its_write_is_committed(
    harness: ObjectHarness, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a")
    harness.committer.hold()
    alice.say("hello")
    await harness.settle()
    assert alice.take() == []
    harness.committer.take()
    await harness.settle()
    assert alice.take() == []
    harness.committer.settle()
    assert alice.take() == ["1"]


async def test_messages_that_become_sendable_together_leave_in_one_write(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    harness.committer.hold()
    for _ in range(3):
        alice.say("more")
    harness.committer.commit_now()
    assert alice.writes == [["1", "2", "3"]]
    assert harness.committer.committed[0].entries.keys() == {b"count"}


async def test_what_is_said_before_a_write_is_not_held_by_it(harness: ObjectHarness) -> None:
    alice = await harness.connect("plain", "a")
    harness.committer.hold()
    alice.say("ping")
    assert alice.take() == ["pong"]
    alice.say("count")
    alice.say("ping")
    assert alice.take() == []
    harness.committer.commit_now()
    assert alice.take() == ["1", "pong"]


async def test_writes_made_while_a_commit_is_in_flight_go_into_the_next_one(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    harness.committer.hold()
    alice.say("one")
    harness.committer.take()
    alice.say("two")
    harness.committer.settle()
    assert alice.take() == ["1"]
    harness.committer.commit_now()
    assert alice.take() == ["2"]
    assert [batch.expected for batch in harness.committer.committed] == [0, 1]


async def test_an_event_that_raises_is_undone_and_its_sender_turned_away(
    harness: ObjectHarness, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a")
    bob = await harness.connect(namespace, "a")
    bob.say("count")
    await harness.settle()
    alice.say("crash")
    await harness.settle()
    assert alice.take() == ["1"]
    assert bob.take() == ["1"]
    assert closed(alice) == (1011, "object_fault")
    assert closed(bob) is None
    bob.say("count")
    await harness.settle()
    assert bob.take() == ["2"]


async def test_an_undone_event_keeps_finished_units_that_are_not_yet_confirmed(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    bob = await harness.connect("plain", "a")
    harness.committer.hold()
    bob.say("count")
    alice.say("crash")
    await harness.settle()
    bob.say("count")
    await harness.settle()
    harness.committer.commit_now()
    harness.committer.commit_now()
    assert bob.take() == ["1", "2"]


async def test_repeated_faults_make_the_next_start_wait(harness: ObjectHarness) -> None:
    bob = await harness.connect("plain", "a")
    for _ in range(4):
        alice = await harness.connect("plain", "a")
        alice.say("crash")
        await harness.advance(1.0)
    starts = PlainCounter.starts
    bob.say("count")
    await harness.settle()
    assert PlainCounter.starts <= starts + 1
    await harness.advance(6.0)
    assert bob.take() == ["1"]


@pytest.mark.parametrize(
    ("result", "code"),
    [(CommitResult.LOST, 1012), (CommitResult.REFUSED, 1011), (CommitResult.UNAVAILABLE, 1013)],
)
async def test_a_commit_that_fails_drops_what_was_held_and_closes_every_socket(
    harness: ObjectHarness, result: CommitResult, code: int
) -> None:
    alice = await harness.connect("plain", "a")
    harness.committer.fail_next(result)
    alice.say("count")
    await harness.settle()
    assert alice.take() == []
    assert (closed(alice) or (None,))[0] == code
    again = await harness.connect("plain", "a")
    again.say("count")
    await harness.settle()
    assert again.take() == ["1"]


async def test_after_a_lost_lease_nothing_is_said_even_if_it_was_committed(
    harness: ObjectHarness,
) -> None:
    alice = await harness.connect("plain", "a")
    harness.committer.hold()
    alice.say("count")
    harness.committer.take()
    harness.clock.advance(10.0)  # the renewals could not run
    harness.committer.settle()
    assert alice.take() == []
    assert closed(alice) is not None


async def test_an_http_answer_waits_for_its_write(harness: ObjectHarness) -> None:
    await harness.room("counter", "a")
    harness.committer.hold()
    asking = asyncio.ensure_future(harness.request("counter", "a", Request()))  # noqa: TID251 - the test owns it
    await harness.settle()
    assert not asking.done()
    harness.committer.commit_now()
    assert (await asking).body == "1"


async def test_an_http_request_fails_when_the_commit_does(harness: ObjectHarness) -> None:
    await harness.room("counter", "a")
    harness.committer.fail_next(CommitResult.LOST)
    with pytest.raises(OwnershipLost):
        await harness.request("counter", "a", Request())


async def test_sync_commits_what_the_event_wrote_so_far(harness: ObjectHarness) -> None:
    async def step(self: Script, connection: Connection) -> None:
        self.ctx.storage.put("first", 1)
        connection.send("before")
        receipt = await self.ctx.storage.sync()
        connection.send(f"receipt {receipt.commit_seq}")
        self.ctx.storage.put("second", 2)
        raise RuntimeError("the second unit is undone")

    Script.steps = {"go": step}
    alice = await harness.connect("script", "a")
    alice.say("go")
    await harness.settle()
    assert alice.take() == ["before"]
    assert harness.stored("script", "a").keys() == {b"first"}


async def test_one_event_runs_at_a_time_to_its_end(harness: ObjectHarness) -> None:
    alice = await harness.connect("sleeper", "a")
    alice.say("one")
    alice.say("two")
    await harness.settle()
    assert len(Sleeper.waits) == 1
    Sleeper.waits[0].set_result(None)
    await harness.settle()
    assert alice.take() == ["one"]
    assert len(Sleeper.waits) == 2
    Sleeper.waits[1].set_result(None)
    await harness.settle()
    assert alice.take() == ["two"]


async def test_a_full_mailbox_stops_the_reading_and_draining_it_starts_it_again() -> None:
    Sleeper.waits = []
    limits = RoomLimits(mailbox_events=4)
    async with ObjectHarness({"sleeper": Sleeper}, limits=limits) as harness:
        alice = await harness.connect("sleeper", "a")
        for number in range(5):
            alice.say(str(number))
        await harness.settle()
        assert not reading(alice)
        for number in range(5):
            Sleeper.waits[number].set_result(None)
            await harness.settle()
        assert reading(alice)
        assert alice.take() == ["0", "1", "2", "3", "4"]


async def test_a_client_that_ignores_the_brake_is_turned_away_alone() -> None:
    Sleeper.waits = []
    limits = RoomLimits(mailbox_events=4)
    async with ObjectHarness({"sleeper": Sleeper}, limits=limits) as harness:
        alice = await harness.connect("sleeper", "a")
        bob = await harness.connect("sleeper", "a")
        for number in range(20):
            alice.say(str(number))
        await harness.settle()
        assert closed(alice) == (1013, "queue_full")
        assert closed(bob) is None


async def test_a_reader_that_is_too_slow_is_closed_and_nobody_else() -> None:
    limits = RoomLimits(outbox_bytes=10)
    async with ObjectHarness({"plain": PlainCounter}, limits=limits) as harness:
        slow = await harness.connect("plain", "a")
        quick = await harness.connect("plain", "a")
        slow.stall()
        for _ in range(12):
            quick.say("count")
            await harness.settle()
        assert closed(slow) == (1013, "overloaded")
        assert closed(quick) is None
        assert len(quick.take()) == 12


async def test_every_accepted_socket_gets_exactly_one_close_event(harness: ObjectHarness) -> None:
    alice = await harness.connect("script", "a")
    bob = await harness.connect("script", "a")
    alice.leave(4000, "bye")
    bob.leave(1006, clean=False)
    await harness.settle()
    assert Script.closes == [(4000, "bye", True), (1006, "", False)]


async def test_without_durability_nothing_is_stored_and_put_says_so() -> None:
    async def step(self: Script, connection: Connection) -> None:
        try:
            self.ctx.storage.put("key", 1)
        except Exception as error:  # noqa: BLE001 - shown to the test
            connection.send(type(error).__name__)

    Script.steps = {"go": step}
    mount = Mount(namespace="none", cls=Script, durability=Durability.NONE)
    async with ObjectHarness({"none": mount}) as harness:
        alice = await harness.connect("none", "a")
        alice.say("go")
        await harness.settle()
        assert alice.take() == ["Unsupported"]


async def test_relaxed_rooms_speak_at_once_and_commit_behind() -> None:
    mount = Mount(namespace="relaxed", cls=PlainCounter, durability=Durability.RELAXED)
    limits = RoomLimits(relaxed_loss_ms=200)
    async with ObjectHarness({"relaxed": mount}, limits=limits) as harness:
        alice = await harness.connect("relaxed", "a")
        harness.committer.hold()
        alice.say("count")
        assert alice.take() == ["1"]
        harness.clock.advance(0.3)
        alice.say("count")
        assert alice.take() == [], "the bound on loss is reached: now sends wait"
        harness.committer.commit_now()
        assert alice.take() == ["2"]
