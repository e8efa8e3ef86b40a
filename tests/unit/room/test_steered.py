"""What operators do to an object: keys, sockets and alarms, on the engine itself."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from app.core.admin_errors import (
    AlarmRuns,
    AlarmUnknown,
    ConnectionUnknown,
    KeyUnknown,
    PreconditionFailed,
    StorageGuarded,
)
from app.core.errors import Overloaded, StorageRefused, TooManyAlarms, Unsupported
from app.core.limits import ALARMS
from app.core.storage_codec import encode_value, expiry_ms
from app.core.stored_keys import version_of
from app.room.limits import RoomLimits
from app.sdk import AlarmInfo, Connection, DurableObject, Request
from app.testing.harness import ObjectHarness
from tests.unit.cluster.calling import start


class Subject(DurableObject):
    """Caches a number, says goodbye to nobody in time, and may hang in its alarm."""

    gate: ClassVar[asyncio.Event]
    ends: ClassVar[list[tuple[int, str]]]

    async def on_start(self) -> None:
        self.number = await self.ctx.storage.get("number", 0)
        self.known = list(self.ctx.connections())

    def on_connect(self, connection: Connection, request: Request) -> None:
        del request
        self.known.append(connection)

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "tag":
            connection.tag("red")
            return
        self.number += 1
        self.ctx.storage.put("number", self.number)
        for member in self.known:  # also those that are closed, as careless authors do
            member.send(str(self.number))

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        del connection, clean
        Subject.ends.append((code, reason))

    async def on_alarm(self, info: AlarmInfo) -> None:
        if info.name == "hangs":
            await Subject.gate.wait()
        self.ctx.storage.put(f"rung {info.name}", info.payload)


class Weaver(Subject):
    interleave = True


class Vault(Subject):
    guards_storage = True


@pytest.fixture(params=["subject", "weaver"])
def namespace(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Subject.gate, Subject.ends = asyncio.Event(), []
    classes: dict[str, type[Any]] = {"subject": Subject, "weaver": Weaver, "vault": Vault}
    async with ObjectHarness(classes) as made:
        yield made
        Subject.gate.set()


async def steer(
    harness: ObjectHarness, namespace: str, what: str, body: bytes = b"", /, **meta: Any
) -> dict[str, Any]:
    told, _ = await harness.steering.ask(harness.object_id(namespace, "a"), what, meta, body)
    return told


def is_awake(harness: ObjectHarness, namespace: str) -> bool:
    room = harness.live_room(namespace, "a")
    return room is not None and room.awake


# -- keys --------------------------------------------------------------------------------------


async def test_what_a_put_changes_is_what_the_next_event_counts_from(
    harness: ObjectHarness, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a")
    alice.say("1")
    await harness.settle()
    await steer(harness, namespace, "storage_put", encode_value(41), key="number")
    alice.say("2")
    await harness.settle()
    assert alice.take() == ["1", "42"]
    assert harness.contents(namespace, "a") == {"number": 42}


async def test_a_condition_is_proved_on_what_is_not_committed_yet(
    harness: ObjectHarness, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a")
    harness.committer.hold()
    alice.say("1")
    await harness.settle()
    wanted = [version_of(encode_value(1))]
    put = start(
        steer(harness, namespace, "storage_put", encode_value(5), key="number", if_match=wanted)
    )
    late = start(
        steer(harness, namespace, "storage_put", encode_value(6), key="number", if_match=wanted)
    )
    await harness.settle()
    harness.committer.release()
    assert (await put)["created"] is False
    with pytest.raises(PreconditionFailed):
        await late
    assert harness.contents(namespace, "a") == {"number": 5}


async def test_what_is_refused_leaves_the_instance_alone(
    harness: ObjectHarness, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a")
    room = harness.live_room(namespace, "a")
    assert room is not None
    before = room._residence.instance
    for what, body, meta, error in (
        ("storage_put", encode_value(1), {"key": "k" * 2_049}, StorageRefused),
        ("storage_put", encode_value(b"x" * 2_000_001), {"key": "k"}, StorageRefused),
        ("storage_put", encode_value(1), {"key": "k", "if_match": ["*"]}, PreconditionFailed),
        ("storage_delete", b"", {"key": "k"}, KeyUnknown),
        ("alarm_remove", b"", {"name": ""}, AlarmUnknown),
        ("connections_kick", b"", {"id": "x", "code": 1000, "reason": ""}, ConnectionUnknown),
    ):
        with pytest.raises(error):
            await steer(harness, namespace, what, body, **meta)
    assert room._residence.instance is before
    assert harness.counted["object_faults"] == 0
    assert alice.closed is None


async def test_a_value_that_expires_is_put_with_the_alarm_that_removes_it(
    harness: ObjectHarness,
) -> None:
    at_ms = harness.database_clock.now_ms() + 60_000
    told = await steer(
        harness, "subject", "storage_put", encode_value("brief"), key="k", expires_ms=at_ms
    )
    stored = harness.stored("subject", "a")[b"k"]
    assert (expiry_ms(stored), told["version"]) == (at_ms, version_of(stored))
    await harness.advance(400)
    assert harness.stored("subject", "a") == {}


async def test_very_many_keys_are_deleted_in_several_events(harness: ObjectHarness) -> None:
    for start_at in range(0, 2_100, 100):
        keys = [f"k{number:04}" for number in range(start_at, start_at + 100)]

        def put(_instance: Any, ctx: Any, keys: list[str] = keys) -> None:
            ctx.storage.put_many(dict.fromkeys(keys, 1))

        await harness.run_in_room(harness.object_id("subject", "a"), put)
    first = await steer(harness, "subject", "storage_clear", prefix="k")
    second = await steer(harness, "subject", "storage_clear", prefix="k")
    assert (first, second) == ({"deleted": 2_000, "more": True}, {"deleted": 100, "more": False})
    assert harness.contents("subject", "a") == {}


async def test_a_class_that_guards_its_storage_must_be_forced(harness: ObjectHarness) -> None:
    for what, meta in (("storage_put", {"key": "k"}), ("storage_clear", {"prefix": ""})):
        with pytest.raises(StorageGuarded):
            await steer(harness, "vault", what, encode_value(1), **meta)
    await steer(harness, "vault", "storage_put", encode_value(1), key="k", force=True)
    assert harness.contents("vault", "a") == {"k": 1}


# -- sockets -----------------------------------------------------------------------------------


async def test_an_object_that_sends_to_who_was_kicked_is_not_blamed(
    harness: ObjectHarness, namespace: str
) -> None:
    alice, bob = await harness.connect(namespace, "a"), await harness.connect(namespace, "a")
    found = await harness.steering.look(
        harness.object_id(namespace, "a"), "connections", {"tag": None, "after": 0, "limit": 9}
    )
    assert found is not None
    first = found[0]["connections"][0]["id"]
    told = await steer(harness, namespace, "connections_kick", id=first, code=4_000, reason="out")
    assert told == {"count": 1}
    bob.say("1")
    await harness.settle()
    assert (alice.closed, bob.closed) == ((4_000, "out"), None)
    assert (alice.take(), bob.take()) == ([], ["1"])
    assert harness.counted["object_faults"] == 0
    alice.leave(4_000, "out")
    await harness.settle()
    assert Subject.ends == [(4_000, "out")], "the object hears of it"


class Stuck(DurableObject):
    """Waits in its first message for the test."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        await Subject.gate.wait()


async def test_a_full_mailbox_keeps_no_operator_out() -> None:
    Subject.gate, Subject.ends = asyncio.Event(), []
    async with ObjectHarness({"stuck": Stuck}, limits=RoomLimits(mailbox_events=3)) as harness:
        alice = await harness.connect("stuck", "a")
        alice.say("wait")
        asking = [start(harness.request("stuck", "a", Request())) for _ in range(9)]
        await harness.settle()
        refused = [each.exception() for each in asking if each.done()]
        assert refused
        assert all(isinstance(error, Overloaded) for error in refused)
        kicking = start(steer(harness, "stuck", "connections_kick", code=4_000, reason="out"))
        await harness.settle()
        assert not kicking.done()
        Subject.gate.set()
        assert await kicking == {"count": 1}
        await harness.settle()
        assert alice.closed == (4_000, "out")
        await asyncio.gather(*asking, return_exceptions=True)


async def test_a_message_leaves_behind_what_the_object_said_before(
    harness: ObjectHarness, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a")
    harness.committer.hold()
    alice.say("1")
    await harness.settle()
    sent = start(steer(harness, namespace, "connections_send", b"after", text=True))
    await harness.settle()
    assert alice.take() == []
    harness.committer.release()
    assert await sent == {"count": 1}
    await harness.settle()
    assert alice.take() == ["1", "after"]


async def test_only_those_with_the_tag_hear_and_nobody_is_woken(harness: ObjectHarness) -> None:
    alice, bob = await harness.connect("subject", "a"), await harness.connect("subject", "a")
    alice.say("tag")
    await harness.settle()
    await harness.rest("subject", "a")
    told = await steer(harness, "subject", "connections_send", b"\x00", text=False, tag="red")
    assert (told, alice.take(), bob.take()) == ({"count": 1}, [b"\x00"], [])
    assert not is_awake(harness, "subject")


# -- alarms ------------------------------------------------------------------------------------


async def test_an_alarm_is_set_and_rings_like_an_authors(
    harness: ObjectHarness, namespace: str
) -> None:
    due_ms = harness.database_clock.now_ms() + 5_000
    await steer(
        harness,
        namespace,
        "alarm_set",
        encode_value({"x": 1}),
        name="t",
        due_ms=due_ms,
        every_ms=None,
    )
    assert not is_awake(harness, namespace)
    await harness.advance(6)
    assert harness.contents(namespace, "a") == {"rung t": {"x": 1}}


async def test_an_alarm_that_waits_is_rung_now(harness: ObjectHarness, namespace: str) -> None:
    due_ms = harness.database_clock.now_ms() + 1_000_000
    await steer(harness, namespace, "alarm_set", b"", name="t", due_ms=due_ms, every_ms=None)
    assert await steer(harness, namespace, "alarm_ring", name="t") == {"given_up": False}
    await harness.advance(1)
    assert harness.contents(namespace, "a") == {"rung t": None}
    with pytest.raises(AlarmUnknown):
        await steer(harness, namespace, "alarm_ring", name="t")


async def test_the_alarms_of_an_object_that_sleeps_are_known(harness: ObjectHarness) -> None:
    await harness.connect("subject", "a")
    due_ms = harness.database_clock.now_ms() + 1_000_000
    await steer(harness, "subject", "alarm_set", b"", name="t", due_ms=due_ms, every_ms=None)
    await harness.rest("subject", "a")
    assert await steer(harness, "subject", "alarm_remove", name="t") == {"given_up": False}
    assert not is_awake(harness, "subject")


async def test_an_alarm_that_is_being_run_is_left_to_its_run(harness: ObjectHarness) -> None:
    due_ms = harness.database_clock.now_ms() + 1
    await steer(harness, "weaver", "alarm_set", b"", name="hangs", due_ms=due_ms, every_ms=None)
    await harness.advance(1)
    for what in ("alarm_ring", "alarm_remove"):
        with pytest.raises(AlarmRuns):
            await steer(harness, "weaver", what, name="hangs")
    Subject.gate.set()
    await harness.settle()
    assert harness.contents("weaver", "a") == {"rung hangs": None}


async def test_the_bounds_of_authors_alarms_hold(harness: ObjectHarness) -> None:
    due_ms = harness.database_clock.now_ms() + 1_000_000
    set_one = {"due_ms": due_ms, "every_ms": None}
    for number in range(ALARMS):
        await steer(harness, "subject", "alarm_set", b"", name=f"{number}", **set_one)
    with pytest.raises(TooManyAlarms):
        await steer(harness, "subject", "alarm_set", b"", name="one more", **set_one)
    with pytest.raises(StorageRefused):
        await steer(harness, "subject", "alarm_set", b"", name="\x01expiry", **set_one)


async def test_a_frozen_object_takes_no_changes(harness: ObjectHarness) -> None:
    await steer(harness, "subject", "storage_put", encode_value(1), key="k")
    room = harness.live_room("subject", "a")
    assert room is not None
    room.lane.frozen = True
    for what, meta in (
        ("storage_put", {"key": "k"}),
        ("storage_delete", {"key": "k"}),
        ("storage_clear", {"prefix": "k"}),
        ("alarm_set", {"name": "", "due_ms": 5, "every_ms": None}),
    ):
        with pytest.raises(Exception) as refused:  # noqa: PT011 - its code is looked at
            await steer(harness, "subject", what, encode_value(2), **meta)
        assert getattr(refused.value, "code", None) == "object_frozen"
    assert harness.contents("subject", "a") == {"k": 1}


async def test_without_a_handler_there_are_no_alarms() -> None:
    class Silent(DurableObject):
        pass

    async with ObjectHarness({"silent": Silent}) as harness:
        with pytest.raises(Unsupported):
            await steer(harness, "silent", "alarm_set", b"", name="", due_ms=5, every_ms=None)
