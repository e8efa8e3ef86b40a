"""SIGKILL at any moment, again and again, under writers that never pause.

Clients that hold data would hide a loss by sending it again. So after each kill everybody is
gone before the next start; then Postgres is read, then a fresh client reads alone, and only then
new clients come, who have nothing of what was before.
"""

import random
from enum import Enum, auto

import pytest

from app.core.clock import SystemClock
from tests.cluster.clients import at_work, moments
from tests.cluster.conftest import LONG_LEASE, Stage
from tests.cluster.durable_content import check
from tests.cluster.server import ServerProcess

KILLS = 10
ROOMS_A_ROUND = 3
LONGEST_AGONY_SECONDS = 0.1
LONGEST_START_SECONDS = 1.0
STARTS_CUT_SHORT = 0.2
PROOFS_EXPECTED = 3_000


class Blow(Enum):
    """What dies with the server, and in which order."""

    SERVER = auto()  # its Postgres is told by the kernel and stops in order
    SERVER_THEN_POSTGRES = auto()
    POSTGRES_THEN_SERVER = auto()


async def strike(server: ServerProcess, chance: random.Random) -> None:
    blow = chance.choice(list(Blow))
    if blow is Blow.POSTGRES_THEN_SERVER:
        server.kill_postgres()
        await SystemClock().sleep(chance.uniform(0, LONGEST_AGONY_SECONDS))
    await server.kill()
    if blow is Blow.SERVER_THEN_POSTGRES:
        server.kill_postgres()


async def start(server: ServerProcess, chance: random.Random) -> None:
    """Start the server; now and then a first try is killed on its way."""
    if chance.random() < STARTS_CUT_SHORT:
        await server.spawn()
        await SystemClock().sleep(chance.uniform(0, LONGEST_START_SECONDS))
        await server.kill()
    await server.start()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_that_anybody_was_told_is_lost_by_sigkill_at_random_moments(
    stage: Stage, seed: int
) -> None:
    chance = random.Random(seed)
    server = stage.server(**LONG_LEASE)
    (steady,) = stage.new_rooms(1)
    rooms = [steady]
    for moment in moments(seed, KILLS):
        await start(server, chance)
        await check(stage.history, database_url=server.database_url, url=server.url, rooms=[*rooms])
        rooms = [steady, *stage.new_rooms(ROOMS_A_ROUND)]
        fleet = stage.fleet(server)
        fleet.man(rooms)
        async with at_work(fleet):
            await fleet.proofs(moment)
            await strike(server, chance)
    await server.start()
    await check(stage.history, database_url=server.database_url, url=server.url, rooms=stage.rooms)
    acknowledged = len(stage.history.acknowledged())
    print(f"{KILLS} kills, {acknowledged} acknowledged changes, none lost")  # noqa: T201 - for -rP
    assert stage.history.proofs > PROOFS_EXPECTED
    assert stage.history.unacknowledged(), "no kill hit anybody in the middle of writing"
    assert stage.faults() == []
