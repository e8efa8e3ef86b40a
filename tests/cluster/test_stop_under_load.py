"""SIGTERM while everybody writes: rooms are given up in order, and the exit is a clean one."""

import pytest

from app.store.embedded import EmbeddedPostgres
from tests.cluster.clients import at_work
from tests.cluster.conftest import LONG_LEASE, SHORT_LEASE, Stage
from tests.cluster.durable_content import check, until_served

ROOMS = 6


@pytest.mark.parametrize("moment", [0, 1, 500])
async def test_a_stop_under_load_drains_and_loses_nothing(stage: Stage, moment: int) -> None:
    server = stage.server(**LONG_LEASE)
    await server.start()
    rooms = stage.new_rooms(ROOMS)
    fleet = stage.fleet(server)
    fleet.man(rooms)
    async with at_work(fleet):
        await fleet.proofs(moment)
        server.ask_to_stop()
    assert await server.ended() == 0
    assert {client.close_code for client in fleet.clients if client.close_code} <= {1012}
    await server.start()
    await check(stage.history, database_url=server.database_url, url=server.url, rooms=rooms)
    assert stage.faults() == []


async def test_a_stop_while_the_database_is_away_ends_and_loses_nothing(
    stage: Stage, postgres: EmbeddedPostgres
) -> None:
    server = stage.server(database_url=postgres.url, **SHORT_LEASE)
    await server.start()
    rooms = stage.new_rooms(ROOMS)
    fleet = stage.fleet(server)
    fleet.man(rooms)
    async with at_work(fleet):
        await fleet.proofs(300)
        await postgres.stop()
        server.ask_to_stop()
    assert await server.ended() == 0
    await postgres.start()
    await server.start()
    await check(stage.history, database_url=postgres.url, url=server.url, rooms=rooms)
    assert stage.faults() == []


async def test_an_embedded_postgres_that_dies_alone_is_started_again_and_nothing_is_lost(
    stage: Stage,
) -> None:
    server = stage.server(**LONG_LEASE)
    await server.start()
    rooms = stage.new_rooms(ROOMS)
    for _ in range(2):
        fleet = stage.fleet(server)
        fleet.man(rooms)
        async with at_work(fleet):
            await fleet.proofs(300)
            server.kill_postgres()
            await fleet.proofs(300)
            await fleet.leave()
        await until_served(server.url, rooms[0])
        await check(stage.history, database_url=server.database_url, url=server.url, rooms=rooms)
    assert server.said("embedded_postgres_ended") == 2
    await server.kill()
    await server.start()
    await check(stage.history, database_url=server.database_url, url=server.url, rooms=rooms)
    assert stage.faults() == []
