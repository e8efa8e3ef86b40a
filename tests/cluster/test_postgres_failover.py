"""The primary is lost, its synchronous standby takes its place; the service goes on by itself.

Nothing that was acknowledged may be missing on the standby. A failover within the lease is not
noticed by clients; one that outlasts it, or that brings a clock on which every lease has run out,
ends the rooms, and the workers come back under new ids.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from tests.cluster.clients import DEADLINE_SECONDS, GONE, Fleet, at_work
from tests.cluster.conftest import LONG_LEASE, SHORT_LEASE, Stage
from tests.cluster.durable_content import check, until_served
from tests.cluster.server import ServerProcess
from tests.cluster.test_postgres_restarts import until_readiness
from tests.doubles.replicated_postgres import ReplicatedPostgres, WrongClock, replicated

ROOMS = 3
PROOFS_BEFORE = 400
PROOFS_AFTER = 300
CLOCK_AHEAD_SECONDS = 10

TWO_WORKERS = {"STATEROOM_WORKERS": "2"}


class Pair:
    """A replicated Postgres, and a server that knows both members."""

    def __init__(self, stage: Stage, postgres: ReplicatedPostgres, server: ServerProcess) -> None:
        self.stage = stage
        self.postgres = postgres
        self.server = server

    async def nothing_is_lost(self, *, server: bool = True) -> None:
        """By both readers. Of two workers one may still be away when the other is ready."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                try:
                    await check(
                        self.stage.history,
                        database_url=self.postgres.standby.url,
                        url=self.server.url if server else None,
                        rooms=self.stage.rooms,
                    )
                except GONE:
                    await SystemClock().sleep(0.05)
                else:
                    return

    def fleet(self, rooms: list[str]) -> Fleet:
        fleet = self.stage.fleet(self.server)
        fleet.man(rooms)
        return fleet

    async def comes_back(self) -> None:
        """By itself; and what is written from then on is kept."""
        await until_readiness(self.server, 200)
        for room in self.stage.rooms:
            await until_served(self.server.url, room)
        await self.nothing_is_lost()
        fleet = self.fleet(self.stage.rooms)
        async with at_work(fleet):
            await fleet.proofs(PROOFS_AFTER)
            await fleet.leave()
        await self.nothing_is_lost(server=False)
        await self.server.kill()
        await self.server.start()
        await self.nothing_is_lost()
        assert self.stage.faults() == []


@pytest.fixture
def bin_dir(pytestconfig: pytest.Config) -> Path | None:
    found: Path | None = pytestconfig.getoption("--postgres-bin")
    return found


@asynccontextmanager
async def started(
    stage: Stage,
    folder: Path,
    bin_dir: Path | None,
    *,
    clock: WrongClock | None = None,
    by_address: bool = False,
    settings: dict[str, str],
) -> AsyncIterator[Pair]:
    async with replicated(folder, bin_dir=bin_dir, standby_clock=clock) as postgres:
        url = postgres.tcp_url if by_address else postgres.url
        server = stage.server(database_url=url, **settings)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(server.close)
            await server.start()
            yield Pair(stage, postgres, server)


@pytest.mark.parametrize(
    ("workers", "by_address"),
    [({}, False), (TWO_WORKERS, True)],
    ids=["one worker, sockets", "two workers, addresses"],
)
async def test_writers_stay_connected_over_a_failover_and_nothing_is_lost(
    stage: Stage, folder: Path, bin_dir: Path | None, workers: dict[str, str], *, by_address: bool
) -> None:
    async with started(
        stage, folder, bin_dir, by_address=by_address, settings=LONG_LEASE | workers
    ) as pair:
        fleet = pair.fleet(stage.new_rooms(ROOMS))
        async with at_work(fleet):
            await fleet.proofs(PROOFS_BEFORE)
            await pair.postgres.fail_over()
            await fleet.proofs(PROOFS_AFTER)
            assert pair.server.said("room_aborted") == 0
            await fleet.leave()
        await pair.nothing_is_lost(server=False)
        await pair.comes_back()


@pytest.mark.parametrize("workers", [{}, TWO_WORKERS], ids=["one worker", "two workers"])
async def test_a_failover_that_outlasts_the_lease_ends_the_rooms_and_the_workers_begin_anew(
    stage: Stage, folder: Path, bin_dir: Path | None, workers: dict[str, str]
) -> None:
    async with started(stage, folder, bin_dir, settings=SHORT_LEASE | workers) as pair:
        fleet = pair.fleet(stage.new_rooms(ROOMS))
        async with at_work(fleet):
            await fleet.proofs(PROOFS_BEFORE)
            pair.postgres.primary.kill()
            await fleet.over()
        # 1012: the worker that a client was connected to had given up before the room's own did.
        assert {client.close_code for client in fleet.clients} <= {1012, 1013}
        await pair.postgres.promote()
        await pair.nothing_is_lost(server=False)
        await pair.comes_back()


@pytest.mark.parametrize("workers", [{}, TWO_WORKERS], ids=["one worker", "two workers"])
async def test_a_standby_whose_clock_is_ahead_ends_every_lease_and_loses_nothing(
    stage: Stage, folder: Path, bin_dir: Path | None, faketime: Path, workers: dict[str, str]
) -> None:
    settings = SHORT_LEASE | workers
    clock = WrongClock(library=faketime, ahead_seconds=CLOCK_AHEAD_SECONDS)
    async with started(stage, folder, bin_dir, clock=clock, settings=settings) as pair:
        fleet = pair.fleet(stage.new_rooms(ROOMS))
        async with at_work(fleet):
            await fleet.proofs(PROOFS_BEFORE)
            await pair.postgres.fail_over()
            await fleet.over()
        await pair.nothing_is_lost(server=False)
        await pair.comes_back()


async def test_a_primary_that_hangs_is_left_for_the_standby_and_is_not_gone_back_to(
    stage: Stage, folder: Path, bin_dir: Path | None
) -> None:
    async with started(stage, folder, bin_dir, settings=SHORT_LEASE) as pair:
        fleet = pair.fleet(stage.new_rooms(ROOMS))
        async with at_work(fleet):
            await fleet.proofs(PROOFS_BEFORE)
            pair.postgres.primary.pause()
            await pair.postgres.promote()
            await fleet.over()
        await until_readiness(pair.server, 200)
        # It does not know that it is no primary any more, and takes connections and writes.
        pair.postgres.primary.go_on()
        await pair.comes_back()
