"""Real clients on multiplexed sockets while workers die and drain under them.

Nobody reconnects and no client does anything about it: both directions must converge by what the
room asks and tells after its channels came back.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from websockets.asyncio.client import connect

from tests.cluster.crew import WORKERS, Crew, wait_until

from .client_host import ClientHost, SyncedStore
from .server_process import ServerProcess, our_server

HOLDER, OTHER = 0, 1
HERE, THERE = ("one", "two"), ("three", "four")
"""Channels whose rooms are at the worker that holds the sockets, and at the other one."""


@pytest.fixture(scope="module")
def two_workers(node_packages: None) -> Iterator[ServerProcess]:  # noqa: ARG001 - installs them first
    process = ServerProcess(our_server(), STATEROOM_LEASE_SECONDS="60", **WORKERS)
    try:
        process.start()
        yield process
    finally:
        process.close()


@pytest.fixture
def crew(two_workers: ServerProcess) -> Crew:
    made = Crew(two_workers.pid, two_workers.url)
    wait_until(lambda: len(made) == 2)
    return made


async def live_at(crew: Crew, slot: int, paths: Sequence[str]) -> None:
    """Let rooms begin at a worker."""
    for path in paths:
        async with connect(f"{crew.url}/{path}", sock=crew.connect(slot), proxy=None) as socket:
            await socket.send('S\n["is.it",1,""]')
            assert "is.it" in str(await socket.recv())


async def join_at(crew: Crew, slot: int, stores: Sequence[SyncedStore], room: str) -> None:
    """Open one multiplexed socket at a worker, with a channel for each store."""
    before = crew.sockets(slot)
    joining = {"socket": stores[0].name, "url": f"{crew.url}/{room}"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(crew.alone(slot))
        first = asyncio.ensure_future(  # noqa: TID251 - awaited below
            stores[0].join(joining["url"], socket=joining["socket"], channel=HERE[0])
        )
        while crew.sockets(slot) <= before:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.005)  # noqa: TID251 - another process connects
    await first
    for store, channel in zip(stores[1:], (*HERE[1:], *THERE), strict=True):
        await store.join(joining["url"], socket=joining["socket"], channel=channel)


@contextlib.asynccontextmanager
async def two_sockets(
    crew: Crew, host: ClientHost, room: str
) -> AsyncIterator[tuple[list[SyncedStore], list[SyncedStore]]]:
    """Two clients of four channels each, all of them at one worker, in step."""
    await live_at(crew, HOLDER, [f"{room}/{channel}" for channel in HERE])
    await live_at(crew, OTHER, [f"{room}/{channel}" for channel in THERE])
    left, right = [[await host.store() for _ in range(4)] for _ in range(2)]
    for side in (left, right):
        await join_at(crew, HOLDER, side, room)
    for number, (one, other) in enumerate(zip(left, right, strict=True)):
        await one.call("setRow", "t", "left", {"n": number})
        await other.call("setRow", "t", "right", {"n": number})
        await host.until_equal(one, other)
    yield left, right
    for store in (*left, *right):
        assert await store.closes() == [], "its socket has not been closed"


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
async def test_what_both_say_while_the_owner_ends_reaches_everybody_without_any_client_action(
    crew: Crew, two_workers: ServerProcess, host: ClientHost, room: str, blow: signal.Signals
) -> None:
    async with two_sockets(crew, host, room) as (left, right):
        former = crew[OTHER]
        for number in range(20):
            await asyncio.gather(
                *(
                    store.call("setCell", "before", f"{number}", store.name, number)
                    for store in left
                )
            )
        former.send_signal(blow)
        for number in range(20):
            await asyncio.gather(
                *(
                    store.call("setCell", "during", f"{number}", store.name, number)
                    for store in (*left, *right)
                )
            )
        await crew.replaced(former, OTHER)
        for one, other, channel in zip(left, right, (*HERE, *THERE), strict=True):
            await host.until_equal(one, other)
            tables = (await one.content())[0]
            assert len(tables["before"]) == len(tables["during"]) == 20
            fresh = await host.joined(two_workers.room_url(f"{room}/{channel}"))
            await host.until_equal(one, fresh)
            await one.receipt()


async def test_what_the_owner_never_took_is_asked_for_again(
    crew: Crew, two_workers: ServerProcess, host: ClientHost, room: str
) -> None:
    """The owner is stopped in its tracks first, so nothing of what follows can have reached it."""
    async with two_sockets(crew, host, room) as (left, right):
        former = crew[OTHER]
        former.send_signal(signal.SIGSTOP)
        for one, other in zip(left, right, strict=True):
            await one.call("setCell", "t", "left", "lost", "by the left")
            await other.call("setCell", "t", "right", "lost", "by the right")
            await one.call("setValue", "v", one.name)
        former.kill()
        await crew.replaced(former, OTHER)
        for one, other, channel in zip(left, right, (*HERE, *THERE), strict=True):
            fresh = await host.joined(two_workers.room_url(f"{room}/{channel}"))
            await host.until_equal(one, other, fresh)
            assert (await fresh.content())[0]["t"]["right"]["lost"] == "by the right"
            assert (await fresh.content())[1] == {"v": one.name}


async def test_what_was_committed_before_the_channels_are_back_reaches_their_clients(
    crew: Crew, two_workers: ServerProcess, host: ClientHost, room: str
) -> None:
    """The holder of the sockets is stopped while somebody writes at the rooms' next owner."""
    async with two_sockets(crew, host, room) as (left, right):
        former, holder = crew[OTHER], crew[HOLDER]
        holder.send_signal(signal.SIGSTOP)
        former.kill()
        await crew.replaced(former, OTHER)
        for channel in THERE:  # the holder takes no client, so it is the new worker's
            writer = await host.joined(two_workers.room_url(f"{room}/{channel}"))
            await writer.call("setCell", "t", "elsewhere", "c", channel)
            await writer.receipt()
            await writer.leave()
        holder.send_signal(signal.SIGCONT)
        for one, other, channel in zip(left[2:], right[2:], THERE, strict=True):
            await host.until_equal(one, other)
            fresh = await host.joined(two_workers.room_url(f"{room}/{channel}"))
            await host.until_equal(one, fresh)
            assert (await one.content())[0]["t"]["elsewhere"] == {"c": channel}
