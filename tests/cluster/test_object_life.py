"""Frost and deletions across SIGKILL: both hold, and a deletion is never half done."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

import asyncpg
import httpx
import pytest_asyncio

from app.core.clock import SystemClock
from app.core.tasks import TaskOwner
from app.store.embedded import EmbeddedPostgres
from tests.cluster.conftest import SHORT_LEASE, Stage
from tests.cluster.server import ServerProcess

TOKEN = "a-token-of-the-tests-of-ends"
ROWS = 4_000
ROUNDS = 4
LONGEST_DELETION_SECONDS = 0.25
DEADLINE_SECONDS = 60.0

FILL = """
insert into object_row (object_id, key, value)
select $1, convert_to('filler ' || n, 'utf8'), '\\x00' from generate_series(1, $2) n
"""
LOOK = """
select o.deleted_at is not null as deleted, coalesce(d.purging, false) as purging,
       (select count(*) from object_row r
        where r.object_id = o.object_id and r.key >= 'filler'::bytea and r.key < 'fillet'::bytea)
           as rows
from object o left join object_deletion d on d.object_id = o.object_id where o.object_id = $1
"""


class Desk:
    """An operator's, and the database behind."""

    def __init__(self, server: ServerProcess, database_url: str) -> None:
        self.server = server
        self.database_url = database_url
        self._tasks = TaskOwner("test")

    async def ask(self, method: str, path: str) -> httpx.Response:
        """Ask until the server serves objects again whose former owner was killed."""
        base = self.server.url.replace("ws://", "http://")
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as client:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (answer := await client.request(method, path)).status_code == 503:
                    await SystemClock().sleep(0.1)
        return answer

    async def write(self, name: str) -> httpx.Response:
        return await self.ask("POST", f"/objects/ledger/{name}?op=x")

    async def steer(self, name: str, action: str) -> httpx.Response:
        return await self.ask("POST", address(name) + f"/{action}")

    async def delete(self, name: str, grace_seconds: int) -> httpx.Response:
        return await self.ask("DELETE", f"{address(name)}?grace_seconds={grace_seconds}")

    async def look(self, object_id: UUID) -> asyncpg.Record | None:
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.fetchrow(LOOK, object_id)
        finally:
            await connection.close()

    async def fill(self, object_id: UUID) -> None:
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(FILL, object_id, ROWS)
        finally:
            await connection.close()

    async def kill_in_the_middle(self, name: str, after_seconds: float) -> None:
        """Delete an object for good, and kill the server on the way."""

        async def delete() -> None:
            with suppress(httpx.HTTPError):
                await self.delete(name, 0)

        deleting = self._tasks.start(delete(), name="delete")
        await SystemClock().sleep(after_seconds)
        await self.server.kill()
        await deleting


def address(name: str) -> str:
    return f"/admin/v1/namespaces/ledger/objects/{name}"


@pytest_asyncio.fixture
async def desk(stage: Stage, postgres: EmbeddedPostgres) -> AsyncIterator[Desk]:
    server = stage.server(
        database_url=postgres.url,
        STATEROOM_ADMIN_TOKEN=TOKEN,
        STATEROOM_NAMESPACES="ledger=tests.cluster.ledger:Ledger",
        **SHORT_LEASE,
    )
    await server.start()
    yield Desk(server, postgres.url)


async def test_frost_and_deletions_hold_after_sigkill(desk: Desk) -> None:
    for name in ("frozen", "deleted"):
        assert (await desk.write(name)).status_code == 200
    assert (await desk.steer("frozen", "freeze")).status_code == 200
    assert (await desk.delete("deleted", 3600)).status_code == 200
    await desk.server.kill()
    await desk.server.start()
    assert (await desk.ask("GET", "/objects/ledger/frozen")).status_code == 200
    assert (await desk.write("frozen")).json()["code"] == "object_frozen"
    assert (await desk.write("deleted")).status_code == 410
    assert (await desk.steer("frozen", "thaw")).status_code == 200
    assert (await desk.steer("deleted", "undelete")).status_code == 200
    for name in ("frozen", "deleted"):
        assert (await desk.write(name)).status_code == 200


async def test_a_deletion_that_is_killed_at_any_moment_is_made_or_not_and_never_half(
    desk: Desk,
) -> None:
    chance = random.Random(7)
    seen = set()
    for number in range(ROUNDS):
        name = f"room-{number}"
        assert (await desk.write(name)).status_code == 200
        object_id = UUID((await desk.steer(name, "freeze")).json()["id"][:32])
        await desk.fill(object_id)
        share = number / (ROUNDS - 1)
        await desk.kill_in_the_middle(
            name, share * LONGEST_DELETION_SECONDS * chance.uniform(0.8, 1.2)
        )
        found = await desk.look(object_id)
        if found is None:
            seen.add("purged")
        elif not found["deleted"]:
            seen.add("in use")
            assert found["rows"] == ROWS
        else:
            seen.add("deleted")
            assert found["rows"] == ROWS or found["purging"], "what is half gone cannot come back"
        await desk.server.start()
        if found is not None and found["deleted"] and found["purging"]:
            assert (await desk.steer(name, "undelete")).status_code in {404, 410}
        if found is None or found["deleted"]:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while await desk.look(object_id) is not None:
                    await SystemClock().sleep(0.1)
    print(sorted(seen))  # noqa: T201 - for -rP
    assert seen
