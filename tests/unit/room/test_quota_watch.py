"""Objects held to their quotas: refused before the event, served again, forgotten nowhere."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import QuotaExceeded
from app.core.mounts import Mount
from app.core.quotas import Quotas
from app.core.storage_codec import decode_value
from app.room.quota import Standing
from app.sdk import Request
from app.testing.harness import ObjectHarness
from tests.unit.room.objects import Counter, PlainCounter

CLASSES = {"plain": PlainCounter, "counter": Counter}


@pytest.fixture(params=list(CLASSES))
async def bounded(request: pytest.FixtureRequest) -> AsyncIterator[tuple[ObjectHarness, str]]:
    """A harness whose objects may have one event a second, and a namespace of it."""
    async with ObjectHarness(CLASSES) as harness:
        namespaces = harness.registry.namespaces
        for name, cls in CLASSES.items():
            namespaces._mounts[name] = Mount(
                namespace=name, cls=cls, quotas=Quotas(events_per_second=1)
            )
        yield harness, request.param


def stored_count(harness: ObjectHarness, namespace: str) -> object:
    return decode_value(harness.stored(namespace, "a")[b"count"])


async def test_a_message_over_quota_is_not_run_and_its_client_may_come_back_later(
    bounded: tuple[ObjectHarness, str],
) -> None:
    harness, namespace = bounded
    watch = harness.registry.ledger.quotas
    alice = await harness.connect(namespace, "a")
    bob = await harness.connect(namespace, "a")
    for _ in range(20):
        alice.say("more")
    await harness.settle()
    (change,) = watch.look(1.0)
    assert (change.standing, change.object_id.name) == (Standing.OVER, "a")
    alice.say("too much")
    await harness.settle()
    assert alice.closed == (1013, "quota_exceeded")
    assert bob.closed is None
    assert stored_count(harness, namespace) == 20
    assert bob.take()[-1] == "20"


async def test_requests_and_newcomers_are_refused_and_told_for_how_long(
    bounded: tuple[ObjectHarness, str],
) -> None:
    harness, namespace = bounded
    alice = await harness.connect(namespace, "a")
    for _ in range(20):
        alice.say("more")
    await harness.settle()
    harness.registry.ledger.quotas.look(1.0)
    with pytest.raises(QuotaExceeded) as refused:
        await harness.request("counter" if namespace == "counter" else "plain", "a", Request())
    assert refused.value.retry_after_seconds > 1
    with pytest.raises(QuotaExceeded):
        await harness.connect(namespace, "a")
    await harness.connect(namespace, "another")


async def test_it_is_served_again_when_time_has_passed(
    bounded: tuple[ObjectHarness, str],
) -> None:
    harness, namespace = bounded
    watch = harness.registry.ledger.quotas
    alice = await harness.connect(namespace, "a")
    for _ in range(20):
        alice.say("more")
    await harness.settle()
    watch.look(1.0)
    changes = [change.standing for _ in range(30) for change in watch.look(1.0)]
    assert changes == [Standing.NEAR, Standing.WITHIN]
    alice.say("again")
    await harness.settle()
    assert stored_count(harness, namespace) == 21


async def test_sleep_is_no_way_around_a_quota(bounded: tuple[ObjectHarness, str]) -> None:
    harness, namespace = bounded
    watch = harness.registry.ledger.quotas
    alice = await harness.connect(namespace, "a")
    for _ in range(20):
        alice.say("more")
    await harness.settle()
    room = await harness.room(namespace, "a")
    await room.hibernate()
    watch.look(1.0)
    alice.say("too much")
    await harness.settle()
    assert alice.closed == (1013, "quota_exceeded")
    assert stored_count(harness, namespace) == 20


async def test_windows_of_the_ledger_neither_forgive_nor_charge_twice(
    bounded: tuple[ObjectHarness, str],
) -> None:
    harness, namespace = bounded
    ledger = harness.registry.ledger
    alice = await harness.connect(namespace, "a")
    for _ in range(4):
        alice.say("more")
        await harness.settle()
        ledger.turn(10)
    assert ledger.quotas.look(0.001) == []
    for _ in range(8):
        alice.say("more")
        await harness.settle()
        ledger.turn(10)
    (change,) = ledger.quotas.look(0.001)
    assert change.standing is Standing.OVER
