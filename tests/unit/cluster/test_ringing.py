"""Rings over links: what is told, and what makes no sense."""

from typing import Any

import pytest

from app.cluster.link_errors import NotBegun
from app.cluster.ringing import ring_here
from app.core.errors import LinkGarbled, RoomAborted, StoreUnavailable
from app.core.values import DueAlarm, RingOutcome
from app.testing.harness import ObjectHarness
from tests.unit.room.alarmed import Alarmed, a_ring, change_by_hand, now, set_alarm

GOOD: dict[str, Any] = {"alarm": "", "due": 5, "attempt": 5}


@pytest.fixture
async def harness() -> Any:
    Alarmed.reset()
    async with ObjectHarness({"lab": Alarmed}) as opened:
        yield opened


async def prepared(harness: ObjectHarness) -> DueAlarm:
    """An alarm that the harness's own scheduler does not ring."""
    await harness.alarms.close()
    await set_alarm(harness, now(harness) + 60_000)
    change_by_hand(harness, due_ms=5, next_attempt_ms=5)
    return a_ring(harness, 5)


async def test_a_ring_of_another_worker_is_answered_with_its_outcome(
    harness: ObjectHarness,
) -> None:
    due = await prepared(harness)
    for expected in ("done", "superseded"):
        answer, body = await harness.ringer._answer(due.object_id, GOOD, b"")
        assert (answer, body) == ({"outcome": expected}, b"")
    assert len(Alarmed.runs) == 1


@pytest.mark.parametrize(
    "meta", [{}, {**GOOD, "due": "soon"}, {**GOOD, "attempt": None}, {"alarm": "", "due": 5}]
)
async def test_a_ring_that_makes_no_sense_is_refused(
    harness: ObjectHarness, meta: dict[str, Any]
) -> None:
    with pytest.raises(LinkGarbled):
        await harness.ringer._answer(harness.object_id("lab", "a"), meta, b"")


async def test_what_cannot_be_claimed_has_not_begun(harness: ObjectHarness) -> None:
    harness.database.away = True
    with pytest.raises(NotBegun) as refused:
        await ring_here(harness.registry, a_ring(harness, 5))
    assert isinstance(refused.value.error, StoreUnavailable)
    harness.database.away = False


async def test_a_room_that_takes_no_events_has_not_begun(harness: ObjectHarness) -> None:
    due = await prepared(harness)
    room = await harness.room("lab", "a")
    room.abort(RoomAborted("over"))
    harness.registry._rooms[room.object_id.uuid] = room
    with pytest.raises(NotBegun):
        await ring_here(harness.registry, due)
    del harness.registry._rooms[room.object_id.uuid]
    assert await harness.ringer.ring(due) is RingOutcome.DONE
