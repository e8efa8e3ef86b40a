"""A server that was paused for longer than its lease: it must not speak, and cannot commit.

While it stands still its sockets are open and its clients go on writing to it. What they wrote
lies in its socket buffers when it wakes up. A server that was taken for dead while it is well
cannot know, and goes on: there the fence alone decides.
"""

import asyncio

import asyncpg

from app.core.clock import SystemClock
from app.store.embedded import EmbeddedPostgres
from tests.cluster.clients import DEADLINE_SECONDS, Announcer, Fleet, Writer, at_work
from tests.cluster.conftest import LONG_LEASE, SHORT_LEASE, Stage
from tests.cluster.durable_content import check, in_postgres, until_served

ROOMS = 3
PROOFS = 300
WRITES_WHILE_PAUSED = 20

_LIVE = "select worker_id from worker where state = 'live'"
_FIND_DEAD = "update worker set state = 'dead' where worker_id = $1"
_WORKERS = "select state, lease_expires_at <= clock_timestamp() as expired from worker"


async def until_no_lease(database_url: str) -> None:
    """Wait until every worker is dead or its lease has run out by the database's clock."""
    session = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not all(
                row["expired"] or row["state"] == "dead" for row in await session.fetch(_WORKERS)
            ):
                await SystemClock().sleep(0.02)
    finally:
        await session.close()


async def speak_to_a_server_that_stands_still(fleet: Fleet) -> None:
    """Writers write, everybody asks: what needs a commit, and what could be answered at once."""
    for client in fleet.clients:
        client.keeps = True
        if isinstance(client, Writer) and not isinstance(client, Announcer):
            for _ in range(WRITES_WHILE_PAUSED):
                await client.write()
        await client.ask()


def assert_heard_nothing(fleet: Fleet) -> None:
    assert [client.heard for client in fleet.clients] == [[] for _ in fleet.clients]
    assert {client.close_code for client in fleet.clients} <= {1013, 1006}


async def test_a_server_that_was_paused_beyond_its_lease_says_nothing_and_begins_anew(
    stage: Stage, postgres: EmbeddedPostgres
) -> None:
    server = stage.server(database_url=postgres.url, **SHORT_LEASE)
    await server.start()
    rooms = stage.new_rooms(ROOMS)
    fleet = stage.fleet(server)
    fleet.man(stage.new_rooms(1), writers=0, announcers=0)
    fleet.man(rooms)
    async with at_work(fleet):
        await fleet.proofs(PROOFS)
        await fleet.fall_silent()
        server.pause()
        await speak_to_a_server_that_stands_still(fleet)
        await until_no_lease(postgres.url)
        server.go_on()
    assert_heard_nothing(fleet)
    assert server.said("room_aborted") == ROOMS + 1
    await check(stage.history, database_url=postgres.url, url=None, rooms=rooms)
    await until_served(server.url, rooms[0])
    await check(stage.history, database_url=postgres.url, url=server.url, rooms=rooms)
    assert stage.faults() == []


async def test_pauses_in_the_middle_of_writing_lose_nothing(
    stage: Stage, postgres: EmbeddedPostgres
) -> None:
    server = stage.server(database_url=postgres.url, **SHORT_LEASE)
    await server.start()
    for _ in range(3):
        rooms = stage.new_rooms(ROOMS)
        await until_served(server.url, rooms[0])
        fleet = stage.fleet(server)
        fleet.man(rooms)
        async with at_work(fleet):
            await fleet.proofs(PROOFS)
            server.pause()
            await until_no_lease(postgres.url)
            server.go_on()
        await check(stage.history, database_url=postgres.url, url=None, rooms=rooms)
    await server.kill()
    await server.start()
    await check(stage.history, database_url=postgres.url, url=server.url, rooms=stage.rooms)
    assert stage.faults() == []


async def test_a_paused_server_whose_rooms_were_taken_over_can_neither_commit_nor_speak(
    stage: Stage, postgres: EmbeddedPostgres
) -> None:
    first = stage.server(database_url=postgres.url, **SHORT_LEASE)
    second = stage.server(database_url=postgres.url, **LONG_LEASE)
    await first.start()
    await second.start()
    rooms = stage.new_rooms(ROOMS)
    before, after = stage.fleet(first), stage.fleet(second)
    before.man(stage.new_rooms(1), writers=0, announcers=0)
    before.man(rooms)
    async with at_work(before):
        await before.proofs(PROOFS)
        await before.fall_silent()
        known = stage.history.unacknowledged()
        first.pause()
        await speak_to_a_server_that_stands_still(before)
        unheard = stage.history.unacknowledged() - known
        assert len(unheard) > ROOMS * WRITES_WHILE_PAUSED
        after.man(rooms)
        async with at_work(after):
            await after.proofs(PROOFS)
            first.go_on()
            await before.over()
            await after.proofs(PROOFS)
            await after.leave()
    assert_heard_nothing(before)
    content = await in_postgres(postgres.url, rooms)
    kept = {stamp for _, stamp in content.values()}
    assert [change for change in unheard if change.stamp in kept] == []
    await until_served(first.url, *stage.new_rooms(1))
    await second.kill()
    await second.start()
    await check(stage.history, database_url=postgres.url, url=second.url, rooms=rooms)
    assert stage.faults() == []


async def test_a_server_that_was_taken_for_dead_loses_its_rooms_and_nothing_that_it_said(
    stage: Stage, postgres: EmbeddedPostgres
) -> None:
    # It renews rarely, so that it is the fence that tells it, room by room, and not its own lease.
    first = stage.server(database_url=postgres.url, **LONG_LEASE, STATEROOM_RENEW_SECONDS="10")
    second = stage.server(database_url=postgres.url, **LONG_LEASE)
    session = await asyncpg.connect(postgres.url)
    await first.start()
    worker_id = await session.fetchval(_LIVE)
    await second.start()
    rooms = stage.new_rooms(2 * ROOMS)
    before, after = stage.fleet(first), stage.fleet(second)
    before.man(rooms)
    after.man(rooms)
    async with at_work(before):
        await before.proofs(PROOFS)
        await session.execute(_FIND_DEAD, worker_id)
        await session.close()
        async with at_work(after):
            await before.over()
            await after.proofs(PROOFS)
            await after.leave()
    assert {client.close_code for client in before.clients} <= {1012, 1013}
    await second.kill()
    await second.start()
    await check(stage.history, database_url=postgres.url, url=second.url, rooms=rooms)
    assert stage.faults() == []
