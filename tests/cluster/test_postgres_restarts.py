"""Postgres restarted under a running server: it survives by itself, and nothing is lost.

A short absence is not noticed by clients. One that outlasts the lease ends every room; the server
comes back as another worker without anybody's help.
"""

import os
import signal
from collections.abc import Awaitable, Callable

import httpx
import pytest

from app.core.clock import SystemClock
from app.store.embedded import EmbeddedPostgres
from tests.cluster.clients import DEADLINE_SECONDS, at_work
from tests.cluster.conftest import LONG_LEASE, SHORT_LEASE, Stage
from tests.cluster.durable_content import check, until_served
from tests.cluster.server import ServerProcess

ROOMS = 3
PROOFS_BEFORE = 300
PROOFS_AFTER = 300

Stop = Callable[[EmbeddedPostgres], Awaitable[None]]


async def stop_fast(postgres: EmbeddedPostgres) -> None:
    await postgres.stop()


async def stop_immediate(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGQUIT)
    await postgres.wait()


async def until_readiness(server: ServerProcess, status: int) -> None:
    """Wait until /readyz answers so."""
    url = server.url.replace("ws://", "http://")
    clock = SystemClock()
    deadline = clock.monotonic() + DEADLINE_SECONDS
    async with httpx.AsyncClient(trust_env=False) as client:
        while (await client.get(f"{url}/readyz")).status_code != status:
            assert clock.monotonic() < deadline, f"/readyz never said {status}"
            await clock.sleep(0.02)


@pytest.mark.parametrize("stop", [stop_fast, stop_immediate])
async def test_writers_stay_connected_over_restarts_and_nothing_is_lost(
    stage: Stage, postgres: EmbeddedPostgres, stop: Stop
) -> None:
    server = stage.server(database_url=postgres.url, **LONG_LEASE)
    await server.start()
    fleet = stage.fleet(server)
    fleet.man(stage.new_rooms(ROOMS))
    async with at_work(fleet):
        for _ in range(4):
            await fleet.proofs(PROOFS_BEFORE)
            await stop(postgres)
            await postgres.start()
        await fleet.proofs(PROOFS_AFTER)
        assert server.said("room_aborted") == 0
        await fleet.leave()
    await check(stage.history, database_url=postgres.url, url=None, rooms=stage.rooms)
    await server.kill()
    await server.start()
    await check(stage.history, database_url=postgres.url, url=server.url, rooms=stage.rooms)
    assert stage.faults() == []


@pytest.mark.parametrize("stop", [stop_fast, stop_immediate])
async def test_an_absence_beyond_the_lease_ends_every_room_and_the_server_comes_back_by_itself(
    stage: Stage, postgres: EmbeddedPostgres, stop: Stop
) -> None:
    server = stage.server(database_url=postgres.url, **SHORT_LEASE)
    await server.start()
    rooms = stage.new_rooms(ROOMS)
    fleet = stage.fleet(server)
    fleet.man(rooms)
    async with at_work(fleet):
        await fleet.proofs(PROOFS_BEFORE)
        await stop(postgres)
        await until_readiness(server, 503)
    assert {client.close_code for client in fleet.clients} == {1013}
    await postgres.start()
    await check(stage.history, database_url=postgres.url, url=None, rooms=rooms)
    await until_served(server.url, rooms[0])
    await until_readiness(server, 200)
    await check(stage.history, database_url=postgres.url, url=server.url, rooms=rooms)
    fleet = stage.fleet(server)
    fleet.man(rooms)
    async with at_work(fleet):
        await fleet.proofs(PROOFS_AFTER)
        await fleet.leave()
    await server.kill()
    await server.start()
    await check(stage.history, database_url=postgres.url, url=server.url, rooms=rooms)
    assert stage.faults() == []
