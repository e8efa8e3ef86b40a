"""Which idle rooms rest, and which go."""

from uuid import UUID

from app.cluster.rest import IdleRooms
from app.room.room import Room
from app.testing.harness import ObjectHarness
from tests.unit.cluster.slow_store import Plain


def _rooms(harness: ObjectHarness) -> list[tuple[UUID, Room]]:
    return [(room.object_id.uuid, room) for room in harness.registry.rooms]


async def test_a_room_rests_after_its_time_and_goes_after_more_if_nobody_is_there() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        await harness.connect("plain", "kept")
        left = await harness.room("plain", "left")
        idle = IdleRooms(evict_seconds=60.0)
        assert len(idle.look(_rooms(harness), 0.0).busy) == 2
        assert idle.look(_rooms(harness), 9.0) == ([], [], [])
        assert len(idle.look(_rooms(harness), 10.0).resting) == 2
        assert idle.look(_rooms(harness), 60.0).leaving == [left]


async def test_a_busy_room_starts_its_time_anew() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        room = await harness.room("plain", "a")
        idle = IdleRooms(evict_seconds=60.0)
        idle.look(_rooms(harness), 0.0)
        room.touched = True
        assert idle.look(_rooms(harness), 59.0) == ([], [], [room])
        assert idle.look(_rooms(harness), 68.0) == ([], [], [])
        assert idle.look(_rooms(harness), 119.0).leaving == [room]


async def test_the_next_room_of_an_object_starts_its_time_anew() -> None:
    async with ObjectHarness({"plain": Plain}) as harness:
        room = await harness.room("plain", "a")
        idle = IdleRooms(evict_seconds=60.0)
        idle.look(_rooms(harness), 0.0)
        idle.forget(set())
        assert not room.touched
        assert idle.look(_rooms(harness), 65.0) == ([], [], [])
