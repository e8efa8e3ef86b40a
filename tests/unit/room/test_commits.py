"""The commit lane: units in, confirmed batches and opened gates out."""

import pytest

from app.core.errors import (
    LeaseLost,
    OwnershipLost,
    RoomAborted,
    StorageRefused,
    StoreUnavailable,
)
from app.core.frames import OutgoingMessage
from app.core.mounts import Durability
from app.core.values import Alarm, CommitOutcome, CommitResult
from app.room.limits import RoomLimits
from app.room.outputs import Send
from tests.unit.room.benches import LaneBench, a_connection


@pytest.fixture
async def bench() -> LaneBench:
    return await LaneBench().open()


async def test_53_to_57_what_a_unit_says_waits_for_what_it_wrote(bench: LaneBench) -> None:
    bench.put("a")
    bench.end_unit("said")
    assert bench.said == []
    bench.committer.take()
    assert bench.said == []
    bench.committer.settle()
    assert bench.said == ["said"]
    assert bench.rows == {b"a": b"v"}


async def test_58_a_unit_without_writes_is_heard_at_once(bench: LaneBench) -> None:
    bench.end_unit("hello")
    assert bench.said == ["hello"]
    assert bench.committer.idle


async def test_a_unit_without_writes_behind_a_held_one_keeps_its_place(bench: LaneBench) -> None:
    bench.put("a")
    bench.end_unit("first")
    bench.end_unit("second")
    assert bench.said == []
    bench.committer.commit_now()
    assert bench.said == ["first", "second"]


async def test_units_that_end_before_the_batch_is_taken_share_it(bench: LaneBench) -> None:
    bench.put("a")
    bench.end_unit("1")
    bench.put("b")
    bench.end_unit("2")
    bench.committer.commit_now()
    assert bench.said == ["1", "2"]
    assert len(bench.committer.committed) == 1


async def test_110_a_unit_that_ends_while_a_batch_is_in_flight_waits_for_the_next(
    bench: LaneBench,
) -> None:
    bench.put("a")
    bench.end_unit("1")
    bench.committer.take()
    bench.put("b")
    bench.end_unit("2")
    bench.end_unit("3")
    bench.committer.settle()
    assert bench.said == ["1"]
    bench.committer.commit_now()
    assert bench.said == ["1", "2", "3"]
    assert [batch.expected for batch in bench.committer.committed] == [0, 1]


async def test_61_an_unconfirmed_write_holds_nothing_and_is_committed_all_the_same(
    bench: LaneBench,
) -> None:
    bench.put("a", confirmed=False)
    bench.end_unit("said")
    assert bench.said == ["said"]
    bench.committer.commit_now()
    assert bench.rows == {b"a": b"v"}


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (CommitResult.LOST, OwnershipLost),
        (CommitResult.REFUSED, StorageRefused),
        (CommitResult.UNAVAILABLE, LeaseLost),
    ],
)
async def test_59_a_batch_that_fails_breaks_the_lane_for_ever(
    bench: LaneBench, result: CommitResult, error: type[Exception]
) -> None:
    bench.put("a")
    bench.end_unit("never heard")
    bench.committer.take()
    bench.committer._in_flight.clear()
    bench.lane.settle(CommitOutcome(result, bench.claim.commit_seq, RuntimeError("driver")))
    assert isinstance(bench.broken, error)
    bench.put("b")
    bench.end_unit("never heard either")
    bench.committer.commit_now()
    bench.lane.settle(CommitOutcome(CommitResult.COMMITTED, bench.claim.commit_seq))
    assert bench.said == []
    assert bench.rows == {}
    assert bench.lane.take_batch() is None
    with pytest.raises(RoomAborted):
        await bench.lane.commit_point()


async def test_an_error_that_names_the_reason_is_handed_on(bench: LaneBench) -> None:
    bench.put("a")
    bench.end_unit()
    bench.committer.fail_next(CommitResult.UNAVAILABLE, error=StoreUnavailable("gone"))
    bench.committer.commit_now()
    assert isinstance(bench.broken, StoreUnavailable)


async def test_a_commit_that_took_more_numbers_than_one_is_followed(bench: LaneBench) -> None:
    """Settling an unknown outcome takes an empty commit of its own."""
    bench.put("a")
    bench.end_unit()
    bench.committer.take()
    bench.committer._in_flight.clear()
    seq = type(bench.claim.commit_seq)(2)
    bench.lane.settle(CommitOutcome(CommitResult.COMMITTED, seq))
    bench.put("b")
    bench.end_unit()
    batch = bench.lane.take_batch()
    assert batch is not None
    assert batch.expected == 2
    assert bench.lane.current_claim.commit_seq == 2
    assert bench.lane.receipt.commit_seq == 2


async def test_a_batch_that_turns_out_empty_is_not_taken(bench: LaneBench) -> None:
    assert bench.lane.take_batch() is None


async def test_69_a_commit_point_with_nothing_to_wait_for_is_there_at_once(
    bench: LaneBench,
) -> None:
    point = bench.lane.commit_point()
    assert point.result().commit_seq == 0


async def test_70_72_a_commit_point_waits_for_what_was_sealed_and_not_for_more(
    bench: LaneBench,
) -> None:
    bench.put("a")
    bench.end_unit()
    pending = bench.lane.commit_point()
    bench.committer.take()
    in_flight = bench.lane.commit_point()
    bench.put("b")
    bench.end_unit()
    later = bench.lane.commit_point()
    assert [point.done() for point in (pending, in_flight, later)] == [False, False, False]
    bench.committer.settle()
    assert [point.done() for point in (pending, in_flight, later)] == [True, True, False]
    bench.committer.commit_now()
    assert later.result().commit_seq == 2


async def test_73_commit_points_fail_with_the_error_that_broke_the_lane(
    bench: LaneBench,
) -> None:
    bench.put("a")
    bench.end_unit()
    points = [bench.lane.commit_point() for _ in range(2)]
    bench.committer.fail_next(CommitResult.LOST)
    bench.committer.commit_now()
    assert [type(point.exception()) for point in points] == [OwnershipLost, OwnershipLost]


async def test_a_commit_point_that_nobody_waits_for_any_more_is_passed_over(
    bench: LaneBench,
) -> None:
    bench.put("a")
    bench.end_unit()
    gone = bench.lane.commit_point()
    stays = bench.lane.commit_point()
    gone.cancel()
    bench.committer.commit_now()
    assert stays.done()
    bench.put("b")
    bench.end_unit()
    gone = bench.lane.commit_point()
    gone.cancel()
    bench.lane.break_(LeaseLost())
    assert gone.cancelled()


async def test_the_cache_takes_over_what_is_confirmed_and_nothing_before(
    bench: LaneBench,
) -> None:
    bench.put("a")
    bench.end_unit()
    bench.committer.take()
    assert bench.lane.cache.rows() == {}
    bench.committer.settle()
    assert bench.lane.cache.rows() == {b"a": b"v"}


async def test_the_lane_is_clean_when_all_is_confirmed_and_heard(bench: LaneBench) -> None:
    states = [bench.lane.clean]
    bench.put("a")
    states.append(bench.lane.clean)
    bench.end_unit("x")
    states.append(bench.lane.clean)
    bench.committer.take()
    states.append(bench.lane.clean)
    bench.committer.settle()
    states.append(bench.lane.clean)
    assert states == [True, False, False, False, True]
    assert bench.progress == 1


async def test_too_much_that_is_not_confirmed_is_congestion() -> None:
    bench = await LaneBench(limits=RoomLimits(buffer_bytes=10)).open()
    seen = []
    for _ in range(2):
        bench.put("key", "value")
        bench.end_unit()
        bench.committer.take()
        seen.append(bench.lane.congested)
    assert seen == [False, True]
    bench.committer.settle()
    assert not bench.lane.congested


async def test_too_much_that_is_said_and_held_back_is_congestion_too() -> None:
    bench = await LaneBench(limits=RoomLimits(buffer_bytes=10)).open()
    outputs = [Send(a_connection(), OutgoingMessage("x" * 11))]
    bench.lane.seal(outputs)
    assert not bench.lane.congested, "nothing holds it back"
    bench.put("a")
    bench.lane.seal(outputs)
    seen = [bench.lane.congested]
    bench.committer.commit_now()
    assert [*seen, bench.lane.congested] == [True, False]


# -- durability relaxed ------------------------------------------------------------------------


async def test_relaxed_units_are_heard_at_once_and_committed_behind() -> None:
    bench = await LaneBench(durability=Durability.RELAXED).open()
    bench.put("a")
    bench.end_unit("at once")
    assert bench.said == ["at once"]
    bench.clock.advance(0.25)
    bench.committer.commit_now()
    assert bench.rows == {b"a": b"v"}


async def test_relaxed_units_share_a_commit_after_a_quarter_of_the_time() -> None:
    limits = RoomLimits(relaxed_loss_ms=1_000)
    bench = await LaneBench(durability=Durability.RELAXED, limits=limits).open()
    for number in range(3):
        bench.put(str(number))
        bench.end_unit(str(number))
        bench.clock.advance(0.08)
    bench.committer.commit_now()
    early = dict(bench.rows)
    bench.clock.advance(0.02)
    bench.committer.commit_now()
    assert (early, bench.rows) == ({}, {b"0": b"v", b"1": b"v", b"2": b"v"})
    assert bench.lane.commit_seq == bench.claim.commit_seq + 1
    assert bench.said == ["0", "1", "2"]


@pytest.mark.parametrize("why", ["much", "wipe", "alarm", "asked", "no room for loss"])
async def test_a_relaxed_commit_does_not_wait_for_its_time(why: str) -> None:
    limits = RoomLimits(relaxed_loss_bytes=8, relaxed_loss_ms=0 if why == "no room for loss" else 9)
    bench = await LaneBench(durability=Durability.RELAXED, limits=limits).open()
    bench.clock.advance(1.0)
    if why == "wipe":
        bench.lane.buffer.top.wipe()
    if why == "alarm":
        bench.lane.buffer.top.set_alarm("", Alarm(due_ms=1, next_attempt_ms=1))
    bench.put("a", "12" if why == "much" else "")
    bench.end_unit()
    asked = bench.lane.commit_point() if why == "asked" else None
    if why == "no room for loss":
        bench.clock.advance(0.0)
    bench.committer.commit_now()
    assert bench.lane.commit_seq == bench.claim.commit_seq + 1
    assert asked is None or asked.done()


async def test_relaxed_units_that_end_while_a_commit_is_under_way_follow_by_themselves() -> None:
    limits = RoomLimits(relaxed_loss_ms=1_000)
    bench = await LaneBench(durability=Durability.RELAXED, limits=limits).open()
    bench.put("a")
    bench.end_unit()
    bench.clock.advance(0.25)
    bench.committer.take()
    bench.put("b")
    bench.end_unit()
    bench.committer.settle()
    bench.clock.advance(0.25)
    bench.committer.commit_now()
    assert bench.rows == {b"a": b"v", b"b": b"v"}


async def test_a_broken_relaxed_lane_asks_for_no_commit_any_more() -> None:
    bench = await LaneBench(durability=Durability.RELAXED).open()
    bench.put("a")
    bench.end_unit()
    bench.lane.break_(RoomAborted())
    bench.clock.advance(10.0)
    bench.committer.commit_now()
    assert bench.rows == {}


async def test_relaxed_sends_wait_once_more_could_be_lost_than_the_setting_allows() -> None:
    limits = RoomLimits(relaxed_loss_bytes=4)
    bench = await LaneBench(durability=Durability.RELAXED, limits=limits).open()
    bench.put("a", "123")
    bench.end_unit("little")
    bench.put("b", "123")
    bench.end_unit("much")
    assert bench.said == ["little"]
    bench.committer.commit_now()
    assert bench.said == ["little", "much"]


async def test_what_is_in_flight_counts_as_old_as_it_is() -> None:
    limits = RoomLimits(relaxed_loss_ms=1_000)
    bench = await LaneBench(durability=Durability.RELAXED, limits=limits).open()
    bench.put("a")
    bench.end_unit("1")
    bench.clock.advance(0.9)
    bench.committer.take()
    bench.put("b")
    bench.end_unit("2")
    bench.clock.advance(0.2)
    bench.put("c")
    bench.end_unit("3")
    assert bench.said == ["1", "2"], "the first is not committed since 1.1 seconds"
    bench.committer.settle()
    bench.put("d")
    bench.end_unit("4")
    bench.committer.commit_now()
    assert bench.said == ["1", "2", "3", "4"]


async def test_the_age_of_what_could_be_lost_begins_anew_when_all_is_confirmed() -> None:
    limits = RoomLimits(relaxed_loss_ms=1_000)
    bench = await LaneBench(durability=Durability.RELAXED, limits=limits).open()
    for number in range(3):
        bench.put("a", str(number))
        bench.end_unit(str(number))
        bench.clock.advance(0.25)
        bench.committer.commit_now()
        bench.clock.advance(5.0)
    assert bench.said == ["0", "1", "2"]
