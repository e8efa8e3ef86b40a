"""Buckets: bursts are as good as a steady pace, warnings come first, debts are bounded."""

import pytest

from app.core.ids import ObjectIds
from app.core.quotas import Quotas
from app.room.meter import Meter
from app.room.quota import QuotaAccount, Standing

ONE = ObjectIds(b"test").from_name("test", "one")


class Bench:
    """An account and the meter that it is charged by."""

    def __init__(self, quotas: Quotas) -> None:
        self.meter = Meter(ONE, 5)
        self.account = QuotaAccount(quotas)
        self.account.restart(self.meter)

    def second(self, *, events: int = 0, size_bytes: int = 0, cpu_seconds: float = 0) -> Standing:
        self.meter.events += events
        self.meter.bytes_out += size_bytes
        self.meter.cpu_ns += round(cpu_seconds * 1e9)
        self.account.charge(self.meter, 1.0)
        self.account.judge()
        return self.account.standing


def test_a_steady_pace_within_the_quota_is_never_refused() -> None:
    bench = Bench(Quotas(events_per_second=10))
    assert {bench.second(events=10) for _ in range(100)} == {Standing.WITHIN}


def test_an_object_is_near_before_it_is_over_and_within_again_after_a_while() -> None:
    bench = Bench(Quotas(events_per_second=10))
    seen = [bench.second(events=40) for _ in range(4)]
    assert seen == [Standing.WITHIN, Standing.WITHIN, Standing.NEAR, Standing.OVER]
    assert bench.account.reason == "events_per_second"
    wait = bench.account.wait_seconds
    assert wait >= 2
    rests = [bench.second() for _ in range(wait)]
    assert rests[0] is Standing.OVER
    assert rests[-1] is Standing.NEAR
    assert bench.account.wait_seconds == 0


def test_a_burst_of_ten_seconds_worth_is_let_through() -> None:
    bench = Bench(Quotas(bytes_per_second=1_000))
    assert bench.second(size_bytes=9_900) is not Standing.OVER
    assert bench.second(size_bytes=2_200) is Standing.OVER


def test_cpu_time_is_by_the_minute() -> None:
    bench = Bench(Quotas(cpu_seconds_per_minute=6))
    assert bench.second(cpu_seconds=5) is Standing.NEAR
    assert bench.second(cpu_seconds=2) is Standing.OVER
    assert bench.account.reason == "cpu_seconds_per_minute"


def test_one_very_costly_event_does_not_shut_an_object_for_long() -> None:
    bench = Bench(Quotas(cpu_seconds_per_minute=6))
    bench.second(cpu_seconds=1_000)
    assert bench.account.wait_seconds <= 70
    for _ in range(70):
        bench.second()
    assert bench.account.standing is not Standing.OVER


def test_messages_that_run_at_once_are_events_too() -> None:
    bench = Bench(Quotas(events_per_second=1))
    for _ in range(30):
        bench.meter.end(bench.meter.begin(1), 1)
    assert bench.second() is Standing.OVER


def test_a_meter_that_was_reset_is_charged_once() -> None:
    bench = Bench(Quotas(events_per_second=10))
    bench.meter.events += 50
    bench.account.charge(bench.meter)
    bench.meter.take()
    bench.account.restart(bench.meter)
    assert bench.second(events=1) is Standing.WITHIN
    assert not bench.account.settled
    for _ in range(20):
        bench.account.rest(1.0)
    bench.account.judge()
    assert bench.account.settled


@pytest.mark.parametrize("name", ["cpu_seconds_per_minute", "events_per_second"])
def test_the_least_bucket_is_the_reason(name: str) -> None:
    bench = Bench(Quotas(cpu_seconds_per_minute=6, events_per_second=10))
    used = {"cpu_seconds": 60.0} if name.startswith("cpu") else {"events": 1_000}
    bench.second(**used)
    assert bench.account.reason == name
