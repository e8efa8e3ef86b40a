"""Two workers of one machine: a socket that the wrong one has accepted is served by the owner.

Which worker holds a client's connection is asked of the system.
"""

import asyncio
import contextlib
import itertools
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.core.clock import SystemClock
from tests.cluster.conftest import LONG_LEASE, Stage
from tests.cluster.crew import WORKERS, Crew, wait_until
from tests.cluster.greeter import greeting_of
from tests.cluster.server import ServerProcess
from tests.integration.web.wire_socket import WireSocket, text_frame, upgrade_request

OWNER, EDGE = 0, 1
DEADLINE_SECONDS = 60.0
GREETER = {"STATEROOM_NAMESPACES": "greeters=tests.cluster.greeter:Greeter"}
_numbers = itertools.count()
TOKEN = "a token of sixteen characters and more"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[ServerProcess]:
    """A server with two workers for the tests of this file; each has an object of its own."""
    with tempfile.TemporaryDirectory(prefix="stateroom-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # noqa: ASYNC240 - nothing else runs yet
        server = ServerProcess(folder, **LONG_LEASE, **WORKERS, **GREETER)
        try:
            await server.start()
            yield server
            assert server.faults() == []
        finally:
            await server.close()


@pytest_asyncio.fixture
async def crew(shared: ServerProcess) -> Crew:
    """Its workers; nobody is connected."""
    made = Crew.of(shared)
    wait_until(lambda: len(made) == 2)
    await settled(made, 0)
    return made


@pytest.fixture
def path() -> str:
    """An object that nobody has used."""
    return f"/objects/greeters/{next(_numbers)}"


async def crew_of(stage: Stage, **variables: str) -> Crew:
    server = stage.server(**{**LONG_LEASE, **WORKERS, **GREETER, **variables})
    await server.start()
    return Crew.of(server)


@contextlib.asynccontextmanager
async def client(
    crew: Crew, sock: socket.socket, path: str
) -> AsyncIterator[tuple[ClientConnection, int]]:
    """A client on a connection that was accepted, and the process that serves it."""
    made = connect(f"{crew.url}{path}", sock=sock, compression=None, proxy=None)
    async with asyncio.timeout(DEADLINE_SECONDS), made as opened:
        yield opened, int(greeting_of(await opened.recv())["process"])


def accepted(crew: Crew, slot: int, count: int) -> list[socket.socket]:
    """Connections that were made at once, all accepted by the worker of this slot."""
    host, port = crew.url.removeprefix("ws://").rsplit(":", 1)
    with crew.alone(slot):
        made = [socket.create_connection((host, int(port)), 30.0) for _ in range(count)]
        wait_until(lambda: crew.sockets(slot) >= count)
    for each in made:
        each.setblocking(False)  # noqa: FBT003 - a socket's own way to say it
    return made


async def gone(*clients: ClientConnection) -> set[int]:
    """Wait until their sockets have ended; returns the codes."""
    codes = set()
    for each in clients:
        with pytest.raises(ConnectionClosed) as ended:
            await each.recv()
        codes.add(ended.value.rcvd.code if ended.value.rcvd is not None else 1006)
    return codes


async def served_by(crew: Crew, slot: int, path: str) -> int:
    """Connect until somebody serves the object; returns the process."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            with contextlib.suppress(OSError, InvalidStatus, ConnectionClosed):
                async with client(crew, crew.connect(slot), path) as (_, process):
                    return process
            await SystemClock().sleep(0.1)


async def settled(crew: Crew, at_the_owner: int) -> None:
    """Wait until the workers have closed what clients have left."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (crew.sockets(OWNER), crew.sockets(EDGE)) != (at_the_owner, 0):
            await SystemClock().sleep(0.05)


def open_files(crew: Crew) -> list[int]:
    """How many descriptors each worker has."""
    return [crew[slot].num_fds() for slot in (OWNER, EDGE)]


async def test_a_socket_at_the_wrong_worker_is_the_owners_alone(crew: Crew, path: str) -> None:
    owner = crew[OWNER].pid
    async with client(crew, crew.connect(OWNER), path) as (_, first):
        sock = crew.connect(EDGE)
        address = sock.getsockname()[0]
        async with connect(f"{crew.url}{path}?a=b", sock=sock, proxy=None) as opened:
            greeting = greeting_of(await opened.recv())
            assert greeting == {"process": owner, "client": address, "query": "a=b"}
            assert (first, crew.sockets(OWNER), crew.sockets(EDGE)) == (owner, 2, 0)
            for size in (1, 1_000, 95_000):
                await opened.send(size * "x")
                assert await opened.recv() == size * "x"
            await opened.send(95_000 * b"y")
            assert await opened.recv() == 95_000 * b"y"
            await (await opened.ping())


async def test_two_hundred_at_once_are_all_handed_over_and_a_thousand_leave_no_descriptor(
    crew: Crew, path: str
) -> None:
    async def burst(count: int) -> None:
        socks = accepted(crew, EDGE, count)
        async with contextlib.AsyncExitStack() as stack:

            async def one(sock: socket.socket) -> tuple[ClientConnection, int]:
                made = await stack.enter_async_context(client(crew, sock, path))
                await made[0].send("here")
                assert await made[0].recv() == "here"
                return made

            clients = await asyncio.gather(*(one(each) for each in socks))
            assert {process for _, process in clients} == {owner}
            assert (crew.sockets(OWNER), crew.sockets(EDGE)) == (count + 1, 0)
            await asyncio.gather(*(opened.close() for opened, _ in clients))
            assert {opened.close_code for opened, _ in clients} == {1000}
        await settled(crew, 1)

    async with client(crew, crew.connect(OWNER), path) as (_, owner):
        await burst(10)  # whatever is opened once is open now
        before = open_files(crew)
        for _ in range(5):
            await burst(200)
        # Connections to the database come and go; what leaks is a thousand.
        assert all(now <= then + 50 for now, then in zip(open_files(crew), before, strict=True))


async def test_a_frame_that_was_sent_while_it_was_decided_arrives(crew: Crew, path: str) -> None:
    async with client(crew, crew.connect(OWNER), path) as (_, owner):
        reader, writer = await asyncio.open_connection(sock=crew.connect(EDGE))
        early = WireSocket(reader, writer)
        with crew.alone(EDGE):  # the owner is asked, and cannot answer yet
            early.write(upgrade_request(path))
            await SystemClock().sleep(0.2)
            early.write(text_frame("early"))
        assert (await early.read_answer()).status == 101
        assert greeting_of(await early.read_message())["process"] == owner
        assert await early.read_message() == "early"
        await early.close()


async def test_an_owner_that_does_not_answer_is_reached_over_a_link_in_the_end(
    crew: Crew, path: str
) -> None:
    async with client(crew, crew.connect(OWNER), path) as (_, owner):
        reader, writer = await asyncio.open_connection(sock=crew.connect(EDGE))
        patient = WireSocket(reader, writer)
        with crew.alone(EDGE):
            patient.write(upgrade_request(path))
            await SystemClock().sleep(1.5)  # longer than an offer may take
        assert (await patient.read_answer()).status == 101
        assert greeting_of(await patient.read_message())["process"] == owner
        assert (crew.sockets(OWNER), crew.sockets(EDGE)) == (1, 1), "nobody took it twice"
        await patient.say("once")
        assert await patient.read_message() == "once"
        await patient.close()


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
async def test_when_the_owner_ends_its_sockets_end_and_come_back_elsewhere(
    crew: Crew, path: str, blow: signal.Signals
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        near, owner = await stack.enter_async_context(client(crew, crew.connect(OWNER), path))
        far, far_owner = await stack.enter_async_context(client(crew, crew.connect(EDGE), path))
        assert far_owner == owner
        former = crew[OWNER]
        former.send_signal(blow)
        assert await gone(near, far) == {1006 if blow is signal.SIGKILL else 1012}
        await crew.replaced(former, OWNER)
        assert await served_by(crew, EDGE, path) != owner


async def test_when_the_worker_that_accepted_it_ends_the_socket_stays(
    crew: Crew, path: str
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(client(crew, crew.connect(OWNER), path))
        far, _ = await stack.enter_async_context(client(crew, crew.connect(EDGE), path))
        former = crew[EDGE]
        former.send_signal(signal.SIGKILL)
        await crew.replaced(former, EDGE)
        await far.send("still here")
        assert await far.recv() == "still here"


async def test_an_object_that_its_owner_has_given_up_is_served_where_the_socket_is(
    stage: Stage, path: str
) -> None:
    crew = await crew_of(stage, STATEROOM_EVICT_SECONDS="0.5", STATEROOM_IDLE_SECONDS="0.3")
    edge = crew[EDGE].pid
    assert await served_by(crew, OWNER, path) == crew[OWNER].pid
    assert await served_by(crew, EDGE, path) == crew[OWNER].pid, "it remembers who holds it"
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await served_by(crew, EDGE, path) != edge:
            await SystemClock().sleep(3.0)
    assert stage.faults() == []


async def test_with_the_setting_off_a_link_serves_it(stage: Stage, path: str) -> None:
    crew = await crew_of(stage, STATEROOM_HANDOFF="false")
    async with contextlib.AsyncExitStack() as stack:
        _, owner = await stack.enter_async_context(client(crew, crew.connect(OWNER), path))
        far, far_owner = await stack.enter_async_context(client(crew, crew.connect(EDGE), path))
        assert far_owner == owner
        assert (crew.sockets(OWNER), crew.sockets(EDGE)) == (1, 1)
        await far.send("over a link")
        assert await far.recv() == "over a link"
    assert stage.faults() == []


async def test_the_worker_that_accepts_a_client_lets_it_in_or_not(stage: Stage, path: str) -> None:
    crew = await crew_of(stage, STATEROOM_ROOM_ACCESS="token", STATEROOM_ROOM_TOKEN=TOKEN)
    query = f"{path}?token={TOKEN.replace(' ', '%20')}"
    async with client(crew, crew.connect(OWNER), query) as (_, owner):
        with pytest.raises(InvalidStatus) as refused:
            async with client(crew, crew.connect(EDGE), path):
                pass
        assert refused.value.response.status_code == 401
        async with client(crew, crew.connect(EDGE), query) as (_, far_owner):
            assert far_owner == owner
            assert (crew.sockets(OWNER), crew.sockets(EDGE)) == (2, 0)
    assert stage.faults() == []
