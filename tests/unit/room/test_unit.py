"""The running unit: what is said and written since the last commit point."""

import asyncio

import pytest

from app.core.errors import OwnershipLost
from app.core.tasks import TaskOwner
from app.core.values import CommitResult
from app.room.connections import RoomConnection
from app.room.limits import RoomLimits
from app.room.outputs import Close
from app.room.transaction_open import TransactionOpen
from app.testing.sockets import MemorySocket
from tests.unit.room.benches import LaneBench, Notes

_tasks = TaskOwner("test")


@pytest.fixture
async def bench() -> LaneBench:
    return await LaneBench().open()


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, None)
        await future


async def test_inside_an_event_nothing_is_ended_but_by_the_event(bench: LaneBench) -> None:
    bench.in_event = True
    bench.put("a")
    bench.unit.wrote()
    bench.unit.stage(bench.say("x"))
    await _turns()
    assert bench.said == []
    assert bench.committer.idle
    bench.unit.finish()
    bench.committer.commit_now()
    assert bench.said == ["x"]


async def test_between_events_what_is_said_without_an_await_is_one_unit(
    bench: LaneBench,
) -> None:
    bench.put("a")
    bench.unit.wrote()
    bench.unit.stage(bench.say("x"))
    bench.put("b")
    bench.unit.wrote()
    assert bench.committer.idle
    await _turns()
    bench.committer.commit_now()
    assert bench.said == ["x"]
    assert bench.committer.committed[0].entries.keys() == {b"a", b"b"}


async def test_what_was_said_between_events_joins_an_event_that_begins_before_it_is_ended(
    bench: LaneBench,
) -> None:
    bench.unit.stage(bench.say("stray"))
    bench.in_event = True
    await _turns()
    assert bench.said == []
    bench.unit.finish()
    assert bench.said == ["stray"]


async def test_between_events_a_transaction_is_waited_for(bench: LaneBench) -> None:
    depth = bench.lane.buffer.savepoint()
    bench.put("a")
    bench.unit.wrote()
    bench.unit.stage(bench.say("x"))
    await _turns()
    assert bench.said == []
    bench.lane.buffer.keep(depth)
    bench.unit.wrote()
    await _turns()
    bench.committer.commit_now()
    assert bench.said == ["x"]


async def test_a_dead_room_says_nothing_between_events(bench: LaneBench) -> None:
    bench.unit.stage(bench.say("x"))
    bench.alive = False
    await _turns()
    assert bench.said == []


async def test_undoing_drops_writes_and_outputs_and_lets_a_closed_connection_speak_again(
    bench: LaneBench,
) -> None:
    connection = RoomConnection(Notes(), connection_id="a", serial=1, transport=MemorySocket())
    connection.deaf = True
    bench.in_event = True
    bench.put("a")
    bench.unit.stage(bench.say("x"))
    bench.unit.stage(Close(connection, 1000, ""))
    bench.unit.discard()
    bench.unit.finish()
    assert bench.said == []
    assert bench.committer.idle
    assert connection.open


async def test_an_end_inside_a_transaction_is_refused_and_nothing_is_lost(
    bench: LaneBench,
) -> None:
    bench.in_event = True
    bench.unit.stage(bench.say("x"))
    depth = bench.lane.buffer.savepoint()
    with pytest.raises(TransactionOpen):
        await bench.unit.commit_point()
    bench.lane.buffer.keep(depth)
    bench.unit.finish()
    assert bench.said == ["x"]


async def test_a_commit_point_ends_the_unit_and_waits(bench: LaneBench) -> None:
    bench.in_event = True
    bench.put("a")
    bench.unit.stage(bench.say("x"))
    waiting = _tasks.start(bench.unit.commit_point(), name="point")
    await _turns()
    assert not waiting.done()
    bench.committer.commit_now()
    assert (await waiting).commit_seq == 1
    assert bench.said == ["x"]


async def test_a_commit_point_fails_when_the_commit_does(bench: LaneBench) -> None:
    bench.in_event = True
    bench.put("a")
    bench.committer.fail_next(CommitResult.LOST)
    waiting = _tasks.start(bench.unit.commit_point(), name="point")
    await _turns()
    bench.committer.commit_now()
    with pytest.raises(OwnershipLost):
        await waiting


async def test_91_writers_wait_for_room_until_there_is_some_or_the_room_is_over() -> None:
    bench = await LaneBench(limits=RoomLimits(buffer_bytes=1)).open()
    bench.put("a")
    bench.end_unit()
    waiting = [_tasks.start(bench.unit.wait_for_room(), name="wait") for _ in range(2)]
    await _turns()
    bench.unit.relieve()
    await _turns()
    assert not any(task.done() for task in waiting), "there is still no room"
    bench.committer.commit_now()
    bench.unit.relieve()
    await asyncio.gather(*waiting)
    bench.put("a")
    bench.end_unit()
    last = _tasks.start(bench.unit.wait_for_room(), name="wait")
    await _turns()
    bench.alive = False
    bench.unit.relieve()
    await last
