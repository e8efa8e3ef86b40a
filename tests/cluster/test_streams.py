"""Answers in pieces whose worker is killed."""

import asyncio

import httpx
import pytest

from app.core.clock import SystemClock
from app.store.embedded import EmbeddedPostgres
from tests.cluster.conftest import SHORT_LEASE, Stage

NAMESPACES = "feed=tests.cluster.feed:Feed"
DEADLINE_SECONDS = 60.0
_POLL_SECONDS = 0.1


@pytest.mark.parametrize("door", [0, 1], ids=["at its own worker", "over a link"])
async def test_a_killed_worker_is_no_good_end_of_an_answer(
    stage: Stage, postgres: EmbeddedPostgres, door: int
) -> None:
    servers = [
        stage.server(database_url=postgres.url, STATEROOM_NAMESPACES=NAMESPACES, **SHORT_LEASE)
        for _ in range(2)
    ]
    for server in servers:
        await server.start()
    async with httpx.AsyncClient(timeout=DEADLINE_SECONDS) as client:
        holder = (await client.get(f"{servers[0].url}/objects/feed/a")).text
        async with client.stream("GET", f"{servers[door].url}/objects/feed/a/feed") as feed:
            lines = feed.aiter_lines()
            assert await anext(lines) == holder
            await servers[0].kill()
            with pytest.raises(httpx.TransportError):
                await anext(lines)
        next_holder = await _holder(client, servers[1].url)
    assert next_holder != holder


async def _holder(client: httpx.AsyncClient, url: str) -> str:
    """The process that holds the object, once there is one again."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await client.get(f"{url}/objects/feed/a")
            if answer.status_code == 200:
                return answer.text
            await SystemClock().sleep(_POLL_SECONDS)
