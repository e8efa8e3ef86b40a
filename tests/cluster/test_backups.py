"""An export of many rooms goes into an empty database, and a SIGKILL on the way harms nothing."""

from pathlib import Path

import httpx
import pytest

from app.store.embedded import EmbeddedPostgres
from tests.cluster.backup_runs import (
    ADMIN,
    Door,
    Resident,
    Rooms,
    digests,
    fill,
    second_database,
    until_some_are_written,
)
from tests.cluster.conftest import LONG_LEASE, SHORT_LEASE, Stage

SMALL = Rooms(count=1_500, rows=12, row_bytes=2_200)
LARGE = Rooms(count=1, rows=8_500, row_bytes=1_200)
"""Over the bound of what is gathered. It may come first or last: less than a quarter of all."""
MOST_BYTES = 36 << 20
"""What a server may grow by; the export is half as much again."""


async def test_rooms_survive_the_way_into_an_empty_database_and_a_kill_on_it(
    stage: Stage, postgres: EmbeddedPostgres, folder: Path
) -> None:
    await fill(postgres.url, SMALL)
    await fill(postgres.url, LARGE, namespace="large")
    wanted = await digests(postgres.url)
    file = folder / "export.ndjson"

    mounts = {"STATEROOM_NAMESPACES": "large=stateroom.tinybase:TinyBaseRoom"}
    source = stage.server(database_url=postgres.url, **ADMIN, **LONG_LEASE, **mounts)
    await source.start()
    door, memory = Door(source), Resident(source)
    size = await door.export(file, memory.look)
    await door.close()
    assert memory.most_grown < MOST_BYTES < size * 2 / 3
    await source.close()

    second = await second_database(postgres.url)
    target = stage.server(database_url=second, **ADMIN, **SHORT_LEASE, **mounts)
    await target.start()
    door = Door(target)

    async def kill_on_the_way(sent: int) -> None:
        if sent > size // 2:
            await until_some_are_written(second)
            await target.kill()

    with pytest.raises(httpx.TransportError):
        await door.take(file, kill_on_the_way)
    await door.close()
    there = await digests(second)
    assert 0 < len(there) < len(wanted)
    assert there.items() <= wanted.items(), "an object is there in part"

    await target.start()
    door, memory = Door(target), Resident(target)

    async def look(_sent: int) -> None:
        memory.look()

    told = await door.take(file, look)
    await door.close()
    assert told[-1]["complete"]
    assert told[-1]["refused"] == 0, [line for line in told if line.get("code")][:3]
    assert told[-1]["skipped"] == len(there)
    assert await digests(second) == wanted
    assert memory.most_grown < MOST_BYTES
    assert not stage.faults()
