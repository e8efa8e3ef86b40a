"""The worker's ledger: nothing is counted twice, nothing is lost, and it stays small."""

import pytest

from app.core.ids import ObjectId, ObjectIds
from app.core.usage import NOTHING, Usage, UsageMeasure
from app.room import ledger as ledger_module
from app.room.ledger import UsageLedger

IDS = ObjectIds(b"test")


def name(text: str) -> ObjectId:
    return IDS.from_name("test", text)


def test_totals_are_of_now_whether_or_not_a_window_has_ended() -> None:
    ledger = UsageLedger()
    first, second = ledger.open(name("a")), ledger.open(name("b"))
    first.events += 2
    assert ledger.totals.events == 2
    ledger.turn(10)
    first.events += 1
    second.events += 4
    assert ledger.totals.events == 7
    ledger.retire(second)
    assert ledger.totals.events == 7
    ledger.turn(10)
    assert ledger.totals.events == 7


def test_the_window_is_what_happened_in_it() -> None:
    ledger = UsageLedger()
    assert ledger.window_seconds == 0
    meter = ledger.open(name("a"))
    meter.events += 3
    ledger.turn(10)
    assert ledger.now(name("a")) == Usage(events=3)
    assert ledger.window_seconds == 10
    ledger.turn(10)
    assert ledger.now(name("a")) == NOTHING


def test_an_object_that_sleeps_and_wakes_in_a_window_is_one_object() -> None:
    ledger = UsageLedger()
    for _ in range(2):
        meter = ledger.open(name("a"))
        meter.events += 1
        meter.wakes += 1
        ledger.retire(meter)
        ledger.retire(meter)  # twice is once
    ledger.turn(10)
    (used,) = ledger.take(10)
    assert used.usage == Usage(events=2, wakes=2)
    assert ledger.take(10) == []


def test_the_costly_come_first_and_the_idle_not_at_all() -> None:
    ledger = UsageLedger()
    for number, text in enumerate("abcd"):
        ledger.open(name(text)).bytes_in += number * 10
    ledger.turn(10)
    top = ledger.top(UsageMeasure.BYTES_IN, 2)
    assert [used.object_id.name for used in top] == ["d", "c"]
    assert len(ledger.top(UsageMeasure.BYTES_IN, 10)) == 0 + 3
    assert ledger.top(UsageMeasure.CPU, 10) == []


def test_what_could_not_be_written_waits_on_and_is_added_to() -> None:
    ledger = UsageLedger()
    meter = ledger.open(name("a"))
    meter.events += 1
    ledger.turn(10)
    taken = ledger.take(10)
    meter.events += 1
    ledger.turn(10)
    ledger.put_back(taken)
    (used,) = ledger.take(10)
    assert used.usage.events == 2


def test_what_waits_is_bounded_and_the_totals_know_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MOST_WAITING", 2)
    ledger = UsageLedger()
    for text in "abc":
        ledger.open(name(text)).events += 1
    ledger.turn(10)
    assert len(ledger.take(10)) == 2
    assert ledger.totals.events == 3


def test_no_more_are_taken_than_asked_for() -> None:
    ledger = UsageLedger()
    for text in "abc":
        ledger.open(name(text)).events += 1
    ledger.turn(10)
    assert len(ledger.take(2)) == 2
    assert len(ledger.take(2)) == 1
