"""What flows through a worker in pieces is not gathered there: measured on real processes."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.store.embedded import EmbeddedPostgres
from tests.cluster.conftest import LONG_LEASE, Stage
from tests.cluster.server import ServerProcess
from tests.integration.web.streams import PIECE

COUNT = 1_600
"""So many pieces are a hundred megabytes."""
MOST_BYTES = 25 << 20
"""What both workers together may grow by."""


class Memory:
    """How much more memory some processes held than at first, at the most."""

    def __init__(self, *servers: ServerProcess) -> None:
        self._pages = [Path(f"/proc/{server.pid}/statm") for server in servers]
        self._first = self._resident_bytes()
        self.most_grown = 0

    def look(self) -> None:
        self.most_grown = max(self.most_grown, self._resident_bytes() - self._first)

    def _resident_bytes(self) -> int:
        return sum(int(page.read_text("ascii").split()[1]) * 4096 for page in self._pages)


@pytest.mark.parametrize("far", [0, 1])
async def test_a_hundred_megabytes_flow_both_ways_in_little_memory(
    stage: Stage, postgres: EmbeddedPostgres, far: int
) -> None:
    """Through the worker that holds the object, and through another one over a link."""
    servers = [
        stage.server(
            database_url=postgres.url,
            STATEROOM_NAMESPACES="s=tests.integration.web.streams:Streamer",
            **LONG_LEASE,
        )
        for _ in range(2)
    ]
    for server in servers:
        await server.start()
    path = "/objects/s/flow"
    async with httpx.AsyncClient(base_url=servers[0].url) as owner:
        assert (await owner.get(f"{path}/ignore")).text == "no need"
    async with httpx.AsyncClient(base_url=f"{servers[far].url}{path}", timeout=60) as door:
        assert (await door.get("/process")).text == str(servers[0].pid)
        memory = Memory(*servers)

        async def measured() -> AsyncIterator[bytes]:
            for _ in range(COUNT):
                memory.look()
                yield PIECE

        answer = await door.post("/upload", content=measured())
        assert answer.json()["bytes"] == COUNT * len(PIECE)
        got = 0
        async with door.stream("GET", f"/download/{COUNT}") as download:
            async for piece in download.aiter_raw():
                got += len(piece)
                memory.look()
    assert got == COUNT * len(PIECE)
    assert memory.most_grown < MOST_BYTES
    assert not stage.faults()
