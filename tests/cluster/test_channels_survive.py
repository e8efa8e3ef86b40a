"""One socket, a hundred channels, two workers: either may end, and nothing that was said is lost.

When the worker that holds the socket stays, the socket stays, and so does everything that was
written on it, acknowledged or not: the next room asks for it. When it goes, what was acknowledged
is there, and whoever comes back gets all channels again.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Sequence

import pytest
from websockets.asyncio.client import connect

from tests.cluster.channel_client import ChannelClient
from tests.cluster.conftest import LONG_LEASE, Stage
from tests.cluster.crew import WORKERS, Crew
from tests.cluster.durable_content import check
from tests.cluster.server import ServerProcess

HOLDER, OTHER = 0, 1
CHANNELS = [f"ch{number}" for number in range(100)]
BASE = "many"
ROOMS = [f"{BASE}/{channel}" for channel in CHANNELS]


async def spread(crew: Crew) -> None:
    """Let the rooms begin, every other one at each worker."""
    for slot in (HOLDER, OTHER):
        taken = [crew.connect(slot) for _ in ROOMS[slot::2]]
        for room, sock in zip(ROOMS[slot::2], taken, strict=True):
            async with connect(f"{crew.url}/{room}", sock=sock, proxy=None) as socket:
                await socket.send('S\n["is.it",1,""]')
                assert "is.it" in str(await socket.recv())


def client(stage: Stage, crew: Crew, slot: int) -> ChannelClient:
    return ChannelClient(
        crew.url,
        BASE,
        CHANNELS,
        numbers=stage.new_number,
        history=stage.history,
        sock=crew.connect(slot),
    )


@contextlib.asynccontextmanager
async def at_work(clients: Sequence[ChannelClient]) -> AsyncIterator[None]:
    """Let them write; at the end of the block they stop."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for each in clients:
            tasks.create_task(each.work(stop))
        try:
            yield
        finally:
            stop.set()


async def written(clients: Sequence[ChannelClient], answers: int) -> None:
    """Wait until every channel has that many more answers."""
    for each in clients:
        before = {name: writer.answers for name, writer in each.writers.items()}
        await each.until(
            lambda each=each, before=before: all(  # type: ignore[misc]  # bound at once
                writer.answers >= before[name] + answers for name, writer in each.writers.items()
            )
        )


@pytest.fixture
async def server(stage: Stage) -> ServerProcess:
    made = stage.server(**LONG_LEASE, **WORKERS)
    await made.start()
    return made


@pytest.mark.parametrize(
    "blow",
    [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP],
    ids=["killed", "drained", "frozen until it is killed"],
)
async def test_when_the_other_worker_ends_the_socket_stays_and_every_channel_goes_on(
    stage: Stage, server: ServerProcess, blow: signal.Signals
) -> None:
    crew = Crew.of(server)
    await spread(crew)
    async with client(stage, crew, HOLDER) as left, client(stage, crew, HOLDER) as right:
        async with at_work([left, right]):
            await written([left, right], 3)
            former = crew[OTHER]
            former.send_signal(blow)
            await crew.replaced(former, OTHER)
            await written([left, right], 3)
        for each in (left, right):
            await each.receipts()
            assert not each.over.is_set()
        assert not stage.history.unacknowledged(), "a receipt covers everything before"
    await check(stage.history, database_url=server.database_url, url=server.url, rooms=ROOMS)
    assert stage.faults() == []


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
async def test_when_the_holder_of_the_socket_ends_who_comes_back_gets_all_channels(
    stage: Stage, server: ServerProcess, blow: signal.Signals
) -> None:
    crew = Crew.of(server)
    await spread(crew)
    async with client(stage, crew, HOLDER) as left, client(stage, crew, HOLDER) as right:
        async with at_work([left, right]):
            await written([left, right], 3)
            former = crew[HOLDER]
            former.send_signal(blow)
            await left.over.wait()
            await right.over.wait()
        assert {left.close_code, right.close_code} <= {1006, 1012}
    await check(stage.history, database_url=server.database_url, url=server.url, rooms=ROOMS)
    async with client(stage, crew, OTHER) as back:
        async with at_work([back]):
            await written([back], 2)
        await back.receipts()
    await check(stage.history, database_url=server.database_url, url=server.url, rooms=ROOMS)
    assert stage.faults() == []
