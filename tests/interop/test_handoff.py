"""Real clients at the wrong worker of a machine: the owner serves them, and they agree."""

import asyncio
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect

from tests.cluster.crew import WORKERS, Crew, wait_until

from .client_host import ClientHost, SyncedStore
from .server_process import ServerProcess, our_server

OWNER, EDGE = 0, 1


@pytest.fixture
def crew(node_packages: None) -> Iterator[Crew]:  # noqa: ARG001 - installs them first
    process = ServerProcess(our_server(), STATEROOM_LEASE_SECONDS="60", **WORKERS)
    try:
        process.start()
        made = Crew(process.pid, process.url)
        wait_until(lambda: len(made) == 2)
        yield made
    finally:
        process.close()


async def at(crew: Crew, slot: int, host: ClientHost, room: str) -> SyncedStore:
    """A client whose connection the worker of this slot has accepted."""
    store = await host.store()
    with crew.alone(slot):
        joining = asyncio.ensure_future(  # noqa: TID251 - awaited below
            store.join(f"{crew.url}/{room}")
        )
        while crew.sockets(slot) == 0:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.005)  # noqa: TID251 - another process connects
    await joining
    return store


async def test_clients_at_the_wrong_worker_are_handed_to_the_owner_and_agree_with_all_others(
    crew: Crew, host: ClientHost, room: str
) -> None:
    url = f"{crew.url}/{room}"
    async with connect(url, sock=crew.connect(OWNER), proxy=None) as first:
        await first.send('S\n["is.it",1,""]')  # the owner is who answers first
        assert "is.it" in str(await first.recv())
        stores = [await at(crew, EDGE, host, room) for _ in range(3)]
        assert (crew.sockets(OWNER), crew.sockets(EDGE)) == (4, 0)
        for number, store in enumerate(stores):
            await store.call("setRow", "t", f"{number}", {"by": store.name, "much": 90_000 * "x"})
        await host.until_equal(*stores)
        assert len((await stores[0].content())[0]["t"]) == 3
        await stores[0].receipt()
        fresh = await at(crew, EDGE, host, room)
        await host.until_equal(*stores, fresh)
        assert crew.sockets(EDGE) == 0
