"""Steering over links: from any worker, while objects move and owners go, and nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar, NamedTuple

import pytest

from app.cluster.steering import Steering
from app.core.errors import LinkBroken, MethodUnknown, OwnershipLost, StateroomError, StorageRefused
from app.core.limits import CALL_BYTES
from app.core.tasks import TaskOwner
from app.room.steer_table import STEER_HANDLERS
from app.room.steering import Manner, Refused, SteerAnswer, Steered, SteerHandler
from app.sdk import Connection, DurableObject
from app.testing.memory import MemoryDatabase, MemoryWorkerLeases
from app.testing.memory_owners import MemoryObjectOwners
from tests.integration.cluster.test_moving import until
from tests.integration.cluster.workers import Worker

_tasks = TaskOwner("test")
_PATIENCE_SECONDS = 60


class Pupil(DurableObject):
    """Says what it has been taught."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        del message
        connection.send(str(await self.ctx.storage.get("count", 0)))


class Lesson:
    """What the handler waits for, and how often it began."""

    gate: ClassVar[asyncio.Event]
    begun: ClassVar[int] = 0


async def _add(steered: Steered) -> SteerAnswer:
    Lesson.begun += 1
    if steered.meta.get("refuse"):
        raise Refused(StorageRefused("not now"))
    if steered.meta.get("wait"):
        await Lesson.gate.wait()
    count = await steered.storage.get("count", 0) + 1
    steered.storage.put("count", count)
    steered.renew()
    return {"count": count}, steered.body


HANDLERS = (SteerHandler(name="add", manner=Manner.TURN, run=_add), *STEER_HANDLERS)


class Pair(NamedTuple):
    """Two workers, and how each of them steers."""

    one: Worker
    two: Worker
    by_one: Steering
    by_two: Steering


def _steering(worker: Worker) -> Steering:
    owners = MemoryObjectOwners(worker.database)
    steering = Steering(worker.registry, worker.finder, owners, handlers=HANDLERS)
    steering.serve(worker.service)
    return steering


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    Lesson.gate, Lesson.begun = asyncio.Event(), 0
    database = MemoryDatabase()
    classes: dict[str, type[Any]] = {"c": Pupil}
    async with Worker(database, classes) as one, Worker(database, classes) as two:
        yield Pair(one, two, _steering(one), _steering(two))
    await _tasks.close()


async def test_an_object_is_changed_from_a_worker_that_does_not_hold_it(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    socket = await pair.one.connect("c", "x")
    assert await pair.by_two.ask(target, "add", {}, b"sent") == ({"count": 1}, b"sent")
    assert await pair.by_one.ask(target, "add") == ({"count": 2}, b"")
    assert target not in pair.two.registry
    socket.say("?")
    await until(lambda: socket.received == ["2"])


async def test_a_body_as_large_as_a_call_may_be_crosses_a_link_and_comes_back(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    await pair.one.connect("c", "x")
    body = bytes(CALL_BYTES)
    _, back = await pair.by_two.ask(target, "add", {}, body)
    assert back == body


async def test_a_look_reaches_the_holder_and_no_further(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    assert await pair.by_two.look(target, "add") is None
    assert target not in pair.two.registry
    await pair.one.connect("c", "x")
    assert await pair.by_two.look(target, "add") == ({"count": 1}, b"")
    await pair.one.mover.move(target, pair.two.worker_id)
    assert await pair.by_one.look(target, "add") == ({"count": 2}, b"")
    assert target in pair.two.registry


async def test_a_look_finds_what_a_draining_worker_still_holds(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    await pair.one.connect("c", "x")
    leases = MemoryWorkerLeases(pair.one.database)
    await leases.set_draining(pair.one.worker_id, draining=True)
    assert await pair.by_two.look(target, "add") == ({"count": 1}, b"")


async def test_sockets_are_seen_sent_to_and_ended_wherever_their_clients_are(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    near, far = await pair.one.connect("c", "x"), await pair.two.connect("c", "x")
    wanted = {"tag": None, "after": 0, "limit": 9}
    told: list[dict[str, Any]] = []
    for by in (pair.by_one, pair.by_two):
        found = await by.look(target, "connections", wanted)
        assert found is not None
        told = found[0]["connections"]
        assert [each["path"] for each in told] == ["/somewhere"] * 2
    sent = await pair.by_two.look(target, "connections_send", {"text": True}, b"hear")
    assert sent == ({"count": 2}, b"")
    await until(lambda: [near.received, far.received] == [["hear"], ["hear"]])
    kick = {"id": told[1]["id"], "code": 4_000, "reason": "out"}
    assert await pair.by_two.look(target, "connections_kick", kick) == ({"count": 1}, b"")
    await until(lambda: far.closed == (4_000, "out"))
    assert near.closed is None


async def test_a_refusal_and_an_unknown_word_are_told_across_a_link(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    await pair.one.connect("c", "x")
    with pytest.raises(StorageRefused, match="not now"):
        await pair.by_two.ask(target, "add", {"refuse": True})
    with pytest.raises(MethodUnknown):
        await pair.by_two.ask(target, "fly")
    assert Lesson.begun == 1


async def test_changes_that_are_made_while_an_object_moves_are_each_made_once(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    await pair.by_one.ask(target, "add")
    moves = _tasks.start(_to_and_fro(pair), name="moves")
    async with asyncio.timeout(_PATIENCE_SECONDS):
        for count in range(2, 22):
            by = pair.by_one if count % 2 else pair.by_two
            assert (await by.ask(target, "add"))[0]["count"] == count
        await moves
    assert Lesson.begun == 21


async def _to_and_fro(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    for worker in (pair.two, pair.one) * 3:
        await pair.one.mover.move(target, worker.worker_id)


async def test_while_workers_drain_in_turns_every_change_is_made_once(pair: Pair) -> None:
    names = [f"room-{number}" for number in range(10)]
    for name in names:
        await pair.by_one.ask(pair.one.object_id("c", name), "add")
    for leaving, staying in ((pair.one, pair.two), (pair.two, pair.one)):
        await leaving.mover.drain_worker()
        asked = [
            _tasks.start(by.ask(pair.one.object_id("c", name), "add"), name="ask")
            for name in names
            for by in (pair.by_one, pair.by_two)
        ]
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.gather(*asked)
        assert all(pair.one.object_id("c", name) in staying.registry for name in names)
        await leaving.mover.undrain()
    for name in names:
        assert (await pair.by_two.ask(pair.one.object_id("c", name), "add"))[0]["count"] == 6
    assert Lesson.begun == 60


async def test_whoever_gives_up_over_a_link_before_its_turn_changes_nothing(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    await pair.one.connect("c", "x")
    first = _tasks.start(pair.by_one.ask(target, "add", {"wait": True}), name="first")
    await until(lambda: Lesson.begun)
    room = pair.one.registry.at_hand(target)
    assert room is not None
    late = _tasks.start(_outcome(pair.by_two.ask(target, "add")), name="late")
    await until(lambda: len(room._parts.mailbox))
    late.cancel()
    await asyncio.wait([late])
    await until(lambda: not pair.one.service._under_way)
    Lesson.gate.set()
    assert (await first)[0] == {"count": 1}
    assert (await pair.by_one.ask(target, "add"))[0] == {"count": 2}
    assert Lesson.begun == 2


async def test_a_change_that_has_begun_at_a_worker_that_dies_is_not_made_again(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    await pair.one.connect("c", "x")
    asked = _tasks.start(_outcome(pair.by_two.ask(target, "add", {"wait": True})), name="ask")
    await until(lambda: Lesson.begun)
    await pair.one.links.close()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        error = await asked
    assert isinstance(error, LinkBroken)
    assert error.retryable
    assert Lesson.begun == 1


async def test_a_change_that_waits_for_its_turn_finds_the_next_owner(pair: Pair) -> None:
    target = pair.one.object_id("c", "x")
    await pair.one.connect("c", "x")
    first = _tasks.start(_outcome(pair.by_one.ask(target, "add", {"wait": True})), name="first")
    await until(lambda: Lesson.begun)
    second = _tasks.start(_outcome(pair.by_two.ask(target, "add")), name="second")
    room = pair.one.registry.at_hand(target)
    assert room is not None
    await until(lambda: len(room._parts.mailbox))
    room.abort(OwnershipLost())
    async with asyncio.timeout(_PATIENCE_SECONDS):
        assert isinstance(await first, StateroomError)
        assert await second == ({"count": 1}, b"")
    Lesson.gate.set()


async def _outcome(asked: Any) -> Any:
    try:
        return await asked
    except StateroomError as error:
        return error
