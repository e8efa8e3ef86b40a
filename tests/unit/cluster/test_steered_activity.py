"""What an operator sees of a live object: its state, sockets, queue and counts, unnoticed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from app.cluster.steering import Steering
from app.room.steered_activity import MEMBERS_TOLD
from app.sdk import Connection, DurableObject, Request
from app.testing.harness import ObjectHarness
from app.testing.memory_owners import MemoryObjectOwners


class Guest(DurableObject):
    """Tags its connections, counts what it hears, and waits when it is told to."""

    gate: ClassVar[asyncio.Event]
    starts: ClassVar[int] = 0

    def on_start(self) -> None:
        Guest.starts += 1

    def on_connect(self, connection: Connection, request: Request) -> None:
        connection.tag("guest", request.path)

    def on_message(self, connection: Connection, message: str | bytes) -> Any:
        self.ctx.storage.put("heard", message)
        return Guest.gate.wait() if message == "wait" else None


class Crowd(Guest):
    interleave = True


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Guest.gate, Guest.starts = asyncio.Event(), 0
    async with ObjectHarness({"guest": Guest, "crowd": Crowd}) as made:
        yield made


async def look(harness: ObjectHarness, namespace: str = "guest") -> dict[str, Any]:
    """What is told of the object `a`; it must be live."""
    owners = MemoryObjectOwners(harness.database)
    steering = Steering(harness.registry, harness.finder, owners)
    looked = await steering.look(harness.object_id(namespace, "a"), "activity")
    assert looked is not None
    return looked[0]


@pytest.mark.parametrize("namespace", ["guest", "crowd"])
async def test_sockets_with_their_tags_and_what_has_happened_is_told(
    harness: ObjectHarness, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a", request=Request(path="/x"))
    await harness.settle()
    before = await look(harness, namespace)
    for number in range(3):
        alice.say(f"{number}")
        await harness.settle()
    told = await look(harness, namespace)
    assert (told["state"], told["awake"], told["connections"]) == ("active", True, 1)
    assert [each["tags"] for each in told["members"]] == [["/x", "guest"]]
    assert told["events"] == before["events"] + 3
    assert (told["commits"], told["commit_seq"]) == (3, 3)
    assert (told["queued_events"], told["queued_bytes"], told["unconfirmed_bytes"]) == (0, 0, 0)


async def test_what_waits_is_told_while_an_event_runs(harness: ObjectHarness) -> None:
    alice = await harness.connect("guest", "a")
    for message in ("wait", "12345", "67"):
        alice.say(message)
    await harness.settle()
    told = await look(harness)
    assert (told["queued_events"], told["queued_bytes"]) == (2, 7)
    Guest.gate.set()
    await harness.settle()
    assert (await look(harness))["queued_events"] == 0


async def test_writes_that_are_not_confirmed_are_told(harness: ObjectHarness) -> None:
    alice = await harness.connect("guest", "a")
    await harness.settle()
    harness.committer.hold()
    alice.say("1")
    await harness.settle()
    told = await look(harness)
    assert told["unconfirmed_bytes"] > 0
    assert (told["commits"], told["commit_seq"]) == (0, 0)


async def test_a_look_wakes_nobody(harness: ObjectHarness) -> None:
    await harness.connect("guest", "a")
    await harness.settle()
    await harness.rest("guest", "a")
    told = await look(harness)
    assert (told["state"], told["awake"], told["connections"]) == ("hibernated", False, 1)
    assert Guest.starts == 1


async def test_of_many_sockets_the_first_are_told_and_all_are_counted(
    harness: ObjectHarness,
) -> None:
    for _ in range(MEMBERS_TOLD + 1):
        await harness.connect("guest", "a")
    await harness.settle()
    told = await look(harness)
    assert (told["connections"], len(told["members"])) == (MEMBERS_TOLD + 1, MEMBERS_TOLD)
