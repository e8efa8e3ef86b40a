"""Alarms on real Postgres: two whole services, each with a scheduler of its own."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ObjectFault
from app.core.values import DueAlarm
from app.settings import load_settings
from app.store.alarms import PostgresAlarmQueue
from app.store.database import Database
from app.store.leases import PostgresWorkerLeases
from app.wiring import Service
from tests.contract.worlds import identity
from tests.integration.cluster.alarmed import Alarmed, until
from tests.integration.cluster.pair import Pair, quiet

COUNT = 300


async def test_two_schedulers_run_each_alarm_once(pair: Pair) -> None:
    names = [f"{number}" for number in range(40)]
    for number, name in enumerate(names):
        await pair.set(pair.first if number % 2 else pair.second, name, in_ms=300)
    await until(pair.no_alarms)
    await quiet(pair.first)
    await quiet(pair.second)
    assert Alarmed.runs == dict.fromkeys(names, 1)
    assert min(Alarmed.late_ms) >= 0
    for name in names[:4]:
        assert await pair.ask(pair.first, name) == {"alarm": None, "runs": 1}


async def test_an_alarm_that_was_set_here_is_rung_here_and_soon(pair: Pair) -> None:
    await quiet(pair.second)
    found = await pair.set(pair.first, "a", in_ms=150)
    assert found["alarm"] is not None
    await until(pair.no_alarms)
    assert Alarmed.runs == {"a": 1}
    print(f"late by {Alarmed.late_ms} ms")  # noqa: T201 - the figure; a busy machine makes no bound good


async def test_an_alarm_of_an_object_at_another_worker_is_rung_over_the_link(pair: Pair) -> None:
    places: list[Any] = []

    async def where(_lab: Alarmed, _info: Any) -> None:
        places.append(await pair.holder("a"))

    Alarmed.on_ring = where
    await quiet(pair.first)
    await pair.set(pair.first, "a", in_ms=200)
    await until(pair.no_alarms)
    assert Alarmed.runs == {"a": 1}
    assert places == [pair.first._current.worker_id]
    assert await pair.ask(pair.second, "a") == {"alarm": None, "runs": 1}


async def test_a_run_that_fails_at_another_worker_is_noted_there(pair: Pair) -> None:
    def fail_once(_lab: Alarmed, info: Any) -> None:
        if not info.is_retry:
            raise ValueError("the author's")

    Alarmed.on_ring = fail_once
    await quiet(pair.first)
    await pair.set(pair.first, "a", in_ms=1)
    await until(lambda: Alarmed.runs["a"] == 2)
    await until(pair.no_alarms)
    assert await pair.ask(pair.first, "a") == {"alarm": None, "runs": 1}


async def test_an_alarm_that_was_set_in_an_event_that_raised_does_not_exist(pair: Pair) -> None:
    with pytest.raises(ObjectFault):
        await pair.set(pair.first, "a", in_ms=1, path="/raise")
    assert await pair.alarms() == 0
    assert await pair.ask(pair.first, "a") == {"alarm": None, "runs": 0}
    await pair.set(pair.first, "a", in_ms=3_600_000)
    with pytest.raises(ObjectFault):
        await pair.set(pair.first, "a", in_ms=1, path="/raise")
    assert (await pair.ask(pair.first, "a"))["alarm"] is not None
    assert Alarmed.runs == {}


async def test_hundreds_that_are_due_at_once_run_in_bounded_numbers(pair: Pair) -> None:
    gate = asyncio.Event()

    async def wait(_lab: Alarmed, _info: Any) -> None:
        await gate.wait()

    Alarmed.on_ring = wait
    names = [f"{number}" for number in range(COUNT)]
    for start in range(0, COUNT, 50):
        await asyncio.gather(
            *(pair.set(pair.first, name, in_ms=1) for name in names[start : start + 50])
        )
    await until(lambda: Alarmed.at_once >= 64)
    gate.set()
    await until(pair.no_alarms)
    assert Alarmed.runs == dict.fromkeys(names, 1)
    assert 64 <= Alarmed.most <= 128, "each of two workers rings 64 at a time"


async def test_the_claim_of_a_worker_that_died_is_taken_over(pair: Pair) -> None:
    """A third worker has claimed, and never rings: it is dead before it can."""
    await quiet(pair.first)
    await quiet(pair.second)
    await pair.set(pair.first, "a", in_ms=1)
    leases = PostgresWorkerLeases(pair.database)
    dead = identity()
    await leases.register(dead, lease_seconds=60)
    queue = PostgresAlarmQueue(pair.database)
    claimed: list[DueAlarm] = []

    async def claim() -> bool:
        answer = await queue.claim_due(dead.worker_id, limit=9, seconds=3600)
        claimed.extend(answer.alarms)
        return bool(claimed)

    await until(claim)
    current = pair.second._current.worker_id
    assert (await queue.claim_due(current, limit=9, seconds=0)).alarms == []
    await leases.retire(dead.worker_id)
    assert pair.second._alarms is not None
    pair.second._alarms.start()
    await until(pair.no_alarms)
    assert Alarmed.runs == {"a": 1}


async def test_an_alarm_outlives_all_workers(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    Alarmed.reset()
    for life in range(2):
        settings = load_settings(database_url=database_url, data_dir=tmp_path / "one")
        service = Service(settings, {"alarmed": Alarmed})
        pair = Pair(service, service, database)
        try:
            await service.start()
            if life == 0:
                await pair.set(service, "a", in_ms=60_000)
            else:
                await database.fetch(
                    "update object_alarm set due_at = now(), next_attempt_at = now()"
                )
                await until(pair.no_alarms)
        finally:
            await service.stop()
    assert Alarmed.runs == {"a": 1}
