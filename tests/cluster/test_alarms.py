"""Alarms whose worker is killed in the middle of the run."""

import asyncio
from pathlib import Path

import httpx

from app.core.clock import SystemClock
from tests.cluster.conftest import LONG_LEASE, Stage

NAMESPACES = "clock=tests.cluster.alarm_clock:AlarmClock"
DEADLINE_SECONDS = 60.0
_POLL_SECONDS = 0.1


async def test_a_worker_that_is_killed_between_a_run_and_its_commit_leaves_it_to_be_run_again(
    stage: Stage, folder: Path
) -> None:
    server = stage.server(
        STATEROOM_NAMESPACES=NAMESPACES,
        STATEROOM_WORKERS="2",
        **LONG_LEASE,
    )
    await server.start()
    marks = {name: folder / f"mark-{name}" for name in ("a", "b")}
    async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE_SECONDS) as client:
        for name, mark in marks.items():
            answer = await client.post(f"/objects/clock/{name}", content=str(mark))
            assert answer.status_code == 200
            runs = await _runs(client, name)
            killed = int(mark.read_text("utf-8"))
            assert len(runs) == 1, "what the killed run wrote is not there"
            ((process, retries),) = runs
            assert process != killed
            assert retries == 0, "a worker's death is no fault of the author's"


async def _runs(client: httpx.AsyncClient, name: str) -> list[tuple[int, int]]:
    """The runs that count, once the alarm is gone."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            await SystemClock().sleep(_POLL_SECONDS)
            try:
                answer = await client.get(f"/objects/clock/{name}")
            except httpx.TransportError:
                continue  # it was the killed worker that was asked
            if answer.status_code == 200 and answer.json()["alarm"] is None:
                found: list[tuple[int, int]] = answer.json()["runs"]
                if found:
                    return found
