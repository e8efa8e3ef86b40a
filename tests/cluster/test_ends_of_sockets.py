"""Two workers, sockets at one and their object at the other: what the object hears of ends."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.core.clock import SystemClock
from tests.cluster.conftest import LONG_LEASE, Stage
from tests.cluster.crew import WORKERS, Crew
from tests.cluster.server import ServerProcess
from tests.integration.web.wire_socket import WireSocket, upgrade_request

OWNER, EDGE = 0, 1
PATH = "/objects/guests/a"
GUESTS = 5
DEADLINE_SECONDS = 60.0


@pytest.fixture
async def server(stage: Stage) -> ServerProcess:
    made = stage.server(
        **LONG_LEASE,
        **WORKERS,
        STATEROOM_HANDOFF="false",  # or the owner would have all sockets itself
        STATEROOM_NAMESPACES="guests=tests.cluster.guest_book:GuestBook",
        STATEROOM_IDLE_SECONDS="0.5",
        STATEROOM_SOCKET_PING_SECONDS="0.5",
        STATEROOM_SOCKET_PONG_SECONDS="5",
    )
    await made.start()
    return made


@contextlib.asynccontextmanager
async def guest(crew: Crew, slot: int) -> AsyncIterator[tuple[ClientConnection, str]]:
    """A client at a worker, and the id under which the object knows it."""
    async with connect(f"{crew.url}{PATH}", sock=crew.connect(slot), proxy=None) as socket:
        yield socket, str(await socket.recv())


async def book(crew: Crew) -> dict[str, Any]:
    """What the object has written down; asked again while a worker is away."""
    url = crew.url.replace("ws://", "http://") + PATH
    async with httpx.AsyncClient(timeout=10.0) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await client.get(url)
                if answer.is_success:
                    found: dict[str, Any] = answer.json()
                    return found
            await SystemClock().sleep(0.05)


async def ends_of(crew: Crew, count: int) -> list[list[Any]]:
    """The ends in the book, when there are as many."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(ends := (await book(crew))["ends"]) < count:
            await SystemClock().sleep(0.05)
    return sorted(ends)


async def test_when_the_worker_of_the_sockets_is_killed_the_object_hears_once_of_each(
    stage: Stage, server: ServerProcess
) -> None:
    crew = Crew.of(server)
    async with guest(crew, OWNER) as (near, near_id), contextlib.AsyncExitStack() as stack:
        far = [await stack.enter_async_context(guest(crew, EDGE)) for _ in range(GUESTS)]
        await SystemClock().sleep(1.5)  # so that it may be asleep; nothing depends on it
        for socket, _ in far:
            await socket.send("ping")
            assert await socket.recv() == "pong"
        former = crew[EDGE]
        former.send_signal(signal.SIGKILL)
        expected = sorted([guest_id, 1006, False] for _, guest_id in far)
        assert await ends_of(crew, GUESTS) == expected
        await crew.replaced(former, EDGE)
        assert await book(crew) == {"here": [near_id], "ends": (await book(crew))["ends"]}
        assert await ends_of(crew, GUESTS) == expected
        await near.send("ping")
        assert await near.recv() == "pong"
    assert stage.faults() == []


async def test_a_client_that_goes_silent_at_the_other_worker_is_heard_of(
    stage: Stage, server: ServerProcess
) -> None:
    crew = Crew.of(server)
    async with guest(crew, OWNER) as (_, near_id):
        reader, writer = await asyncio.open_connection(sock=crew.connect(EDGE))
        silent = WireSocket(reader, writer)
        silent.write(upgrade_request(PATH))
        await silent.read_answer()
        silent_id = await silent.read_message()
        # From here on it neither reads nor says anything; its system still takes what comes.
        assert await ends_of(crew, 1) == [[silent_id, 1006, False]]
        assert (await book(crew))["here"] == [near_id]
        await silent.close()
    assert stage.faults() == []


async def test_when_the_owner_is_killed_its_sockets_are_closed_and_none_is_told_of(
    stage: Stage, server: ServerProcess
) -> None:
    crew = Crew.of(server)
    async with contextlib.AsyncExitStack() as stack:
        near = await stack.enter_async_context(guest(crew, OWNER))
        far = [await stack.enter_async_context(guest(crew, EDGE)) for _ in range(GUESTS)]
        former = crew[OWNER]
        former.send_signal(signal.SIGKILL)
        codes = set()
        for socket, _ in far:
            with pytest.raises(ConnectionClosed) as ended:
                async with asyncio.timeout(DEADLINE_SECONDS):
                    await socket.recv()
            assert ended.value.rcvd is not None
            codes.add((ended.value.rcvd.code, ended.value.rcvd.reason))
        assert codes == {(1012, "link_broken")}
        with pytest.raises(ConnectionClosed):
            await near[0].recv()
        await crew.replaced(former, OWNER)
        assert await book(crew) == {"here": [], "ends": []}
    assert stage.faults() == []
