"""Steering on one worker: in the object's turn, with refusals, and looks that wake nobody."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from app.cluster.steering import Steering
from app.core.errors import (
    CallRefused,
    CallTimedOut,
    MethodUnknown,
    ObjectFault,
    RoomAborted,
    StateroomError,
    StorageRefused,
    StoreUnavailable,
    TooManyAlarms,
)
from app.core.limits import CALL_BYTES
from app.core.values import CommitResult
from app.room.steering import Manner, Refused, SteerAnswer, Steered, SteerHandler, refusing
from app.sdk import Connection, DurableObject
from app.testing.harness import ObjectHarness
from app.testing.memory_owners import MemoryObjectOwners
from tests.unit.cluster.calling import start


class Pupil(DurableObject):
    """Caches a word, and can be told to be busy or broken."""

    starts: ClassVar[int] = 0
    broken: ClassVar[bool] = False
    gate: ClassVar[asyncio.Event]

    async def on_start(self) -> None:
        if Pupil.broken:
            raise ValueError("cannot start")
        Pupil.starts += 1
        self.word = await self.ctx.storage.get("word", "none")

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "wait":
            await Pupil.gate.wait()
        self.ctx.storage.put("heard", message)
        connection.send(f"{message!s} {self.word}")

    async def shout(self, word: str) -> str:
        self.ctx.storage.put("shouted", word)
        return word.upper()


class Waver(Pupil):
    interleave = True


async def _learn(steered: Steered) -> SteerAnswer:
    before = await steered.storage.get("word")
    with refusing():
        if steered.meta.get("only_if", before) != before:
            raise TooManyAlarms("it is another word")
        steered.storage.put("word", steered.meta["word"])
    steered.renew()
    return {"before": before, "woke": steered.instance is not None}, steered.body[::-1]


async def _break(steered: Steered) -> SteerAnswer:
    steered.storage.put("word", "half done")
    raise KeyError("a fault of ours")


async def _shout(steered: Steered) -> SteerAnswer:
    assert isinstance(steered.instance, Pupil)
    return {"told": await steered.instance.shout(steered.meta["word"])}, b""


def _count(steered: Steered) -> SteerAnswer:
    if steered.meta.get("refuse"):
        raise Refused(StorageRefused("not now"))
    return {"members": len(list(steered.members)), "now": steered.now_ms}, b""


def _large(_steered: Steered) -> SteerAnswer:
    return {}, b"x" * (CALL_BYTES + 1)


HANDLERS = (
    SteerHandler(name="learn", manner=Manner.TURN, run=_learn),
    SteerHandler(name="break", manner=Manner.TURN, run=_break),
    SteerHandler(name="shout", manner=Manner.INSTANCE, run=_shout),
    SteerHandler(name="count", manner=Manner.LOOKING, run=_count),
    SteerHandler(name="large", manner=Manner.LOOKING, run=_large),
)


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Pupil.starts, Pupil.broken, Pupil.gate = 0, False, asyncio.Event()
    async with ObjectHarness({"pupil": Pupil, "waver": Waver}) as made:
        yield made


def steering_of(harness: ObjectHarness) -> Steering:
    return Steering(
        harness.registry,
        harness.finder,
        MemoryObjectOwners(harness.database),
        handlers=HANDLERS,
    )


@pytest.fixture
def steering(harness: ObjectHarness) -> Steering:
    return steering_of(harness)


async def test_a_change_claims_an_object_that_nobody_holds_and_starts_no_instance(
    harness: ObjectHarness, steering: Steering
) -> None:
    target = harness.object_id("pupil", "a")
    answer = await steering.ask(target, "learn", {"word": "seven"}, b"abc")
    assert answer == ({"before": None, "woke": False}, b"cba")
    assert harness.contents("pupil", "a") == {"word": "seven"}
    assert Pupil.starts == 0


@pytest.mark.parametrize("namespace", ["pupil", "waver"])
async def test_what_the_instance_has_cached_does_not_outlive_a_change_beneath_it(
    harness: ObjectHarness, steering: Steering, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a")
    alice.say("one")
    await harness.settle()
    before, _ = await steering.ask(harness.object_id(namespace, "a"), "learn", {"word": "new"})
    alice.say("two")
    await harness.settle()
    assert before == {"before": None, "woke": True}
    assert alice.take() == ["one none", "two new"]
    assert alice.closed is None
    assert Pupil.starts == 2


async def test_a_hibernated_object_is_changed_in_its_sleep(
    harness: ObjectHarness, steering: Steering
) -> None:
    alice = await harness.connect("pupil", "a")
    await harness.rest("pupil", "a")
    await steering.ask(harness.object_id("pupil", "a"), "learn", {"word": "dream"})
    room = harness.live_room("pupil", "a")
    assert room is not None
    assert not room.awake
    alice.say("hi")
    await harness.settle()
    assert alice.take() == ["hi dream"]


async def test_an_object_that_cannot_start_can_be_mended(
    harness: ObjectHarness, steering: Steering
) -> None:
    Pupil.broken = True
    target = harness.object_id("pupil", "a")
    with pytest.raises(ObjectFault):
        await steering.ask(target, "shout", {"word": "x"})
    await steering.ask(target, "learn", {"word": "mended"})
    Pupil.broken = False
    assert await steering.ask(target, "shout", {"word": "x"}) == ({"told": "X"}, b"")


async def test_a_refusal_undoes_nothing_and_keeps_the_instance(
    harness: ObjectHarness, steering: Steering
) -> None:
    await harness.connect("pupil", "a")
    with pytest.raises(TooManyAlarms):
        await steering.ask(
            harness.object_id("pupil", "a"), "learn", {"word": "x", "only_if": "another"}
        )
    room = harness.live_room("pupil", "a")
    assert room is not None
    assert room.awake
    assert Pupil.starts == 1
    assert harness.contents("pupil", "a") == {}
    assert harness.counted["object_faults"] == 0


async def test_a_check_that_fails_by_python_is_a_refusal_too(
    harness: ObjectHarness, steering: Steering
) -> None:
    with pytest.raises(StorageRefused):
        await steering.ask(harness.object_id("pupil", "a"), "learn", {"word": "x" * 2_000_001})


async def test_a_handler_that_fails_half_way_has_done_nothing(
    harness: ObjectHarness, steering: Steering
) -> None:
    target = harness.object_id("pupil", "a")
    with pytest.raises(StateroomError):
        await steering.ask(target, "break")
    assert harness.contents("pupil", "a") == {}
    assert (await steering.ask(target, "learn", {"word": "w"}))[0]["before"] is None


async def test_a_change_waits_for_the_event_before_it(
    harness: ObjectHarness, steering: Steering
) -> None:
    alice = await harness.connect("pupil", "a")
    alice.say("wait")
    asked = start(steering.ask(harness.object_id("pupil", "a"), "learn", {"word": "after"}))
    await harness.settle()
    assert not asked.done()
    Pupil.gate.set()
    await asked
    assert alice.take() == ["wait none"]
    assert harness.contents("pupil", "a") == {"heard": "wait", "word": "after"}


async def test_the_answer_waits_for_the_commit(harness: ObjectHarness, steering: Steering) -> None:
    target = harness.object_id("pupil", "a")
    harness.committer.hold()
    asked = start(steering.ask(target, "learn", {"word": "w"}))
    await harness.settle()
    assert not asked.done()
    harness.committer.release()
    await asked


async def test_a_change_that_is_not_committed_is_told_and_not_made_again(
    harness: ObjectHarness, steering: Steering
) -> None:
    harness.committer.fail_next(CommitResult.LOST)
    with pytest.raises(StateroomError) as lost:
        await steering.ask(harness.object_id("pupil", "a"), "learn", {"word": "w"})
    assert lost.value.retryable
    await harness.settle()
    assert harness.contents("pupil", "a") == {}


async def test_a_change_whose_caller_gives_up_before_its_turn_is_not_made(
    harness: ObjectHarness, steering: Steering
) -> None:
    alice = await harness.connect("pupil", "a")
    alice.say("wait")
    await harness.settle()
    with pytest.raises(CallTimedOut):
        await steering.ask(
            harness.object_id("pupil", "a"), "learn", {"word": "late"}, within_seconds=0.01
        )
    Pupil.gate.set()
    await harness.settle()
    assert harness.contents("pupil", "a") == {"heard": "wait"}


async def test_a_room_that_was_just_aborted_is_found_anew(
    harness: ObjectHarness, steering: Steering
) -> None:
    room = await harness.room("pupil", "a")
    asked = start(steering.ask(room.object_id, "learn", {"word": "again"}))
    room.abort(RoomAborted("over"))
    await asked
    assert harness.contents("pupil", "a") == {"word": "again"}


async def test_an_event_of_the_instance_runs_its_methods(
    harness: ObjectHarness, steering: Steering
) -> None:
    answer = await steering.ask(harness.object_id("pupil", "a"), "shout", {"word": "hey"})
    assert answer == ({"told": "HEY"}, b"")
    assert harness.contents("pupil", "a") == {"shouted": "hey"}


async def test_a_look_at_an_object_that_is_not_live_makes_nothing(
    harness: ObjectHarness, steering: Steering
) -> None:
    target = harness.object_id("pupil", "a")
    assert await steering.look(target, "count") is None
    await steering.ask(target, "learn", {"word": "kept"})
    await harness.advance(120)
    assert harness.live_room("pupil", "a") is None
    assert await steering.look(target, "learn", {"word": "lost"}) is None
    assert harness.live_room("pupil", "a") is None
    assert harness.contents("pupil", "a") == {"word": "kept"}


async def test_a_look_sees_a_live_object_beside_the_event_that_keeps_it_busy(
    harness: ObjectHarness, steering: Steering
) -> None:
    alice = await harness.connect("pupil", "a")
    alice.say("wait")
    await harness.settle()
    found = await steering.look(harness.object_id("pupil", "a"), "count")
    assert found is not None
    assert found[0]["members"] == 1
    Pupil.gate.set()


async def test_a_look_may_change_an_object_that_is_live(
    harness: ObjectHarness, steering: Steering
) -> None:
    await harness.connect("pupil", "a")
    found = await steering.look(harness.object_id("pupil", "a"), "learn", {"word": "w"})
    assert found == ({"before": None, "woke": True}, b"")


async def test_a_look_can_be_refused(harness: ObjectHarness, steering: Steering) -> None:
    await harness.connect("pupil", "a")
    with pytest.raises(StorageRefused):
        await steering.look(harness.object_id("pupil", "a"), "count", {"refuse": True})


async def test_what_no_worker_knows_how_to_do_is_said(
    harness: ObjectHarness, steering: Steering
) -> None:
    await harness.connect("pupil", "a")
    target = harness.object_id("pupil", "a")
    with pytest.raises(MethodUnknown):
        await steering.ask(target, "fly")
    with pytest.raises(MethodUnknown):
        await steering.look(target, "fly")


async def test_what_fits_no_frame_is_refused_before_anything_is_done(
    harness: ObjectHarness, steering: Steering
) -> None:
    target = harness.object_id("pupil", "a")
    with pytest.raises(CallRefused):
        await steering.ask(target, "learn", {"word": "w"}, b"x" * (CALL_BYTES + 1))
    with pytest.raises(CallRefused):
        await steering.ask(target, "large")
    assert harness.contents("pupil", "a") == {}


async def test_without_a_database_a_change_fails_and_a_look_too(
    harness: ObjectHarness, steering: Steering
) -> None:
    harness.database.away = True
    target = harness.object_id("pupil", "a")
    with pytest.raises(StoreUnavailable):
        await steering.ask(target, "learn", {"word": "w"})
    with pytest.raises(StoreUnavailable):
        await steering.look(target, "count")
    harness.database.away = False


async def test_rows_that_cannot_be_loaded_are_no_fault_of_the_object(
    harness: ObjectHarness, steering: Steering
) -> None:
    alice = await harness.connect("pupil", "a")
    await harness.rest("pupil", "a")
    harness.database.away = True
    with pytest.raises(StoreUnavailable):
        await steering.ask(harness.object_id("pupil", "a"), "learn", {"word": "w"})
    harness.database.away = False
    assert harness.counted["object_faults"] == 0
    assert alice.closed is None


async def test_a_request_of_another_worker_is_answered_by_the_room_here(
    harness: ObjectHarness, steering: Steering
) -> None:
    target = harness.object_id("pupil", "a")
    told: dict[str, Any] = {"what": "learn", "meta": {"word": "w"}}
    answer, body = await steering._answer(target, told, b"ab")
    assert answer == {"told": {"before": None, "woke": False}}
    assert body == b"ba"
