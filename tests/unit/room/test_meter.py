"""What an object costs is counted where it happens, whichever way its events run."""

from itertools import count
from typing import Any

import pytest

from app.core.ids import ObjectIds
from app.core.usage import NOTHING, Usage
from app.room import meter as meter_module
from app.room.meter import LARGE_BYTES, SAMPLE, Meter
from app.sdk import Request
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import LABS, perform

ONE = ObjectIds(b"test").from_name("test", "one")


def usage_of(harness: ObjectHarness) -> Usage:
    return harness.registry.ledger.totals


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is 10 us after the one before."""
    ticks = count(step=10_000)
    monkeypatch.setattr(meter_module, "busy_ns", lambda: next(ticks) + 1)


async def test_messages_are_counted_in_and_out_with_their_commits(
    harness: ObjectHarness, namespace: str
) -> None:
    alice = await harness.connect(namespace, "a")
    await harness.connect(namespace, "a")
    await harness.settle()
    before = usage_of(harness)
    alice.say("hello")
    await harness.settle()
    after = usage_of(harness)
    assert after.events - before.events == 1
    assert (after.messages_in, after.bytes_in) == (1, 5)
    assert (after.messages_out, after.bytes_out) == (2, 2)
    assert (after.commits, after.rows_written) == (1, 1)
    assert after.bytes_written > 0
    assert after.wakes == 1


async def test_requests_are_counted_with_their_bodies_and_answers(harness: ObjectHarness) -> None:
    await harness.request("counter", "a", Request(method="POST", body=b"12345"))
    used = usage_of(harness)
    assert (used.requests, used.bytes_in, used.bytes_out) == (1, 5, 1)
    assert used.cpu_us > 0
    assert used.wall_us > 0


@pytest.mark.parametrize("cls", LABS)
async def test_alarms_are_counted_in_both_modes_of_events(cls: Any) -> None:
    class Rings(cls):  # type: ignore[misc]  # whichever it is
        async def on_alarm(self, _info: Any) -> None:
            """Nothing to do."""

    async with ObjectHarness({"lab": Rings}) as harness:
        await perform(harness, lambda lab: lab.storage.set_alarm(1_000_000))
        await harness.run_alarm_now(harness.object_id("lab", "a"))
        used = usage_of(harness)
        assert (used.alarms, used.requests) == (1, 1)
        assert used.events >= 2


async def test_a_room_that_sleeps_has_no_meter_and_keeps_what_it_cost(
    harness: ObjectHarness,
) -> None:
    await harness.connect("plain", "a")
    room = await harness.room("plain", "a")
    await harness.settle()
    ledger = harness.registry.ledger
    assert len(ledger) == 1
    before = ledger.totals
    await room.hibernate()
    assert len(ledger) == 0
    assert ledger.totals.wakes == before.wakes == 1


async def test_a_room_that_is_thrown_away_leaves_its_figures(harness: ObjectHarness) -> None:
    alice = await harness.connect("plain", "a")
    alice.say("one")
    await harness.settle()
    await harness.abort_all()
    ledger = harness.registry.ledger
    assert len(ledger) == 0
    assert ledger.totals.messages_in == 1


@pytest.mark.usefixtures("ticking")
def test_one_small_message_in_sixteen_is_timed_and_counts_for_all() -> None:
    meter = Meter(ONE, 0)
    for _ in range(2 * SAMPLE):
        meter.end(meter.begin(10), 10)
    assert meter.look().cpu_us == 2 * 10 * SAMPLE
    assert meter.look().messages_in == 2 * SAMPLE


@pytest.mark.usefixtures("ticking")
def test_a_large_message_is_always_timed_and_counts_once() -> None:
    meter = Meter(ONE, 0)
    meter.end(meter.begin(LARGE_BYTES + 1), LARGE_BYTES + 1)
    assert meter.look().cpu_us == 10


@pytest.mark.usefixtures("ticking")
def test_meters_begin_at_all_parts_of_a_round_so_short_lives_are_timed_too() -> None:
    meters = [Meter(ONE, phase) for phase in range(SAMPLE)]
    for meter in meters:
        meter.end(meter.begin(10), 10)
    assert sum(meter.look().cpu_us for meter in meters) == 10 * SAMPLE


@pytest.mark.usefixtures("ticking")
def test_one_delivery_in_sixteen_is_timed_and_every_one_is_made() -> None:
    meter = Meter(ONE, 0)
    made: list[int] = []
    for number in range(SAMPLE):
        meter.watch(made.append, number)
    assert made == list(range(SAMPLE))
    assert meter.look().cpu_us == 10 * SAMPLE


def test_what_is_taken_is_counted_anew_and_no_nanosecond_is_lost() -> None:
    meter = Meter(ONE, 0)
    meter.cpu_ns = 1_700
    meter.committed(3, 40)
    assert meter.take() == Usage(cpu_us=1, commits=1, rows_written=3, bytes_written=40)
    meter.cpu_ns += 300
    assert meter.take() == Usage(cpu_us=1)
    assert meter.take() == NOTHING


@pytest.mark.parametrize("field", ["events", "requests", "bytes_in", "commits", "wakes"])
def test_a_meter_with_anything_on_it_is_not_idle(field: str) -> None:
    meter = Meter(ONE, 0)
    assert meter.idle
    setattr(meter, field, 1)
    assert not meter.idle
