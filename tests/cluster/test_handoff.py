"""Two workers of one machine: a socket that the wrong one has accepted is served by the owner.

Which worker holds a client's connection is asked of the system.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.core.clock import SystemClock
from tests.cluster.conftest import LONG_LEASE, Stage
from tests.cluster.crew import WORKERS, Crew, wait_until
from tests.cluster.greeter import greeting_of
from tests.integration.web.wire_socket import WireSocket, text_frame, upgrade_request

OWNER, EDGE = 0, 1
PATH = "/objects/greeters/a"
DEADLINE_SECONDS = 60.0
GREETER = {"STATEROOM_NAMESPACES": "greeters=tests.cluster.greeter:Greeter"}
TOKEN = "a token of sixteen characters and more"


async def crew_of(stage: Stage, **variables: str) -> Crew:
    server = stage.server(**{**LONG_LEASE, **WORKERS, **GREETER, **variables})
    await server.start()
    return Crew.of(server)


@contextlib.asynccontextmanager
async def client(
    crew: Crew, sock: socket.socket, path: str = PATH
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


async def served_by(crew: Crew, slot: int) -> int:
    """Connect until somebody serves the object; returns the process."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            with contextlib.suppress(OSError, InvalidStatus, ConnectionClosed):
                async with client(crew, crew.connect(slot)) as (_, process):
                    return process
            await SystemClock().sleep(0.1)


async def test_a_socket_at_the_wrong_worker_is_the_owners_alone(stage: Stage) -> None:
    crew = await crew_of(stage)
    owner = crew[OWNER].pid
    async with client(crew, crew.connect(OWNER)) as (_, first):
        sock = crew.connect(EDGE)
        address = sock.getsockname()[0]
        async with connect(f"{crew.url}{PATH}?a=b", sock=sock, proxy=None) as opened:
            greeting = greeting_of(await opened.recv())
            assert greeting == {"process": owner, "client": address, "query": "a=b"}
            assert (first, crew.sockets(OWNER), crew.sockets(EDGE)) == (owner, 2, 0)
            for size in (1, 1_000, 95_000):
                await opened.send(size * "x")
                assert await opened.recv() == size * "x"
            await opened.send(95_000 * b"y")
            assert await opened.recv() == 95_000 * b"y"
            await (await opened.ping())
    assert stage.faults() == []


async def test_two_hundred_at_once_are_all_handed_over_and_end_cleanly(stage: Stage) -> None:
    crew = await crew_of(stage)
    async with client(crew, crew.connect(OWNER)) as (_, owner), contextlib.AsyncExitStack() as all_:
        socks = accepted(crew, EDGE, 200)

        async def one(sock: socket.socket) -> tuple[ClientConnection, int]:
            made = await all_.enter_async_context(client(crew, sock))
            await made[0].send("here")
            assert await made[0].recv() == "here"
            return made

        clients = await asyncio.gather(*(one(each) for each in socks))
        assert {process for _, process in clients} == {owner}
        assert (crew.sockets(OWNER), crew.sockets(EDGE)) == (201, 0)
        await asyncio.gather(*(opened.close() for opened, _ in clients))
        assert {opened.close_code for opened, _ in clients} == {1000}
    assert stage.faults() == []


async def test_a_thousand_hand_overs_leave_no_descriptor_in_either_worker(stage: Stage) -> None:
    crew = await crew_of(stage)

    async def round_of(count: int) -> set[int]:
        async with contextlib.AsyncExitStack() as stack:
            socks = accepted(crew, EDGE, count)
            coming = (stack.enter_async_context(client(crew, each)) for each in socks)
            return {process for _, process in await asyncio.gather(*coming)}

    async with client(crew, crew.connect(OWNER)) as (_, owner):
        assert await round_of(10) == {owner}  # whatever is opened once is open now
        await idle(crew)
        before = open_files(crew)
        for _ in range(5):
            assert await round_of(200) == {owner}
        await idle(crew)
        assert all(now <= then + 2 for now, then in zip(open_files(crew), before, strict=True))
    assert stage.faults() == []


async def idle(crew: Crew) -> None:
    """Wait until the workers have closed what their clients have left: one is still there."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (crew.sockets(OWNER), crew.sockets(EDGE)) != (1, 0):
            await SystemClock().sleep(0.05)


def open_files(crew: Crew) -> list[int]:
    """How many descriptors each worker has; connections to the database come and go."""
    return [crew[slot].num_fds() for slot in (OWNER, EDGE)]


async def test_a_frame_that_was_sent_while_it_was_decided_arrives(stage: Stage) -> None:
    crew = await crew_of(stage)
    async with client(crew, crew.connect(OWNER)) as (_, owner):
        reader, writer = await asyncio.open_connection(sock=crew.connect(EDGE))
        early = WireSocket(reader, writer)
        with crew.alone(EDGE):  # the owner is asked, and cannot answer yet
            early.write(upgrade_request(PATH))
            await SystemClock().sleep(0.2)
            early.write(text_frame("early"))
        assert (await early.read_answer()).status == 101
        assert greeting_of(await early.read_message())["process"] == owner
        assert await early.read_message() == "early"
        await early.close()
    assert stage.faults() == []


async def test_an_owner_that_does_not_answer_is_reached_over_a_link_in_the_end(
    stage: Stage,
) -> None:
    crew = await crew_of(stage)
    async with client(crew, crew.connect(OWNER)) as (_, owner):
        reader, writer = await asyncio.open_connection(sock=crew.connect(EDGE))
        patient = WireSocket(reader, writer)
        with crew.alone(EDGE):
            patient.write(upgrade_request(PATH))
            await SystemClock().sleep(1.5)  # longer than an offer may take
        assert (await patient.read_answer()).status == 101
        assert greeting_of(await patient.read_message())["process"] == owner
        assert (crew.sockets(OWNER), crew.sockets(EDGE)) == (1, 1), "nobody took it twice"
        await patient.say("once")
        assert await patient.read_message() == "once"
        await patient.close()
    assert stage.faults() == []


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
async def test_when_the_owner_ends_its_sockets_end_and_come_back_elsewhere(
    stage: Stage, blow: signal.Signals
) -> None:
    crew = await crew_of(stage)
    near_sock, far_sock = crew.connect(OWNER), crew.connect(EDGE)
    async with client(crew, near_sock) as (near, owner), client(crew, far_sock) as (far, far_owner):
        assert far_owner == owner
        former = crew[OWNER]
        former.send_signal(blow)
        assert await gone(near, far) == {1006 if blow is signal.SIGKILL else 1012}
        await crew.replaced(former, OWNER)
        assert await served_by(crew, EDGE) != owner
    assert stage.faults() == []


async def test_when_the_worker_that_accepted_it_ends_the_socket_stays(stage: Stage) -> None:
    crew = await crew_of(stage)
    async with client(crew, crew.connect(OWNER)), client(crew, crew.connect(EDGE)) as (far, _):
        former = crew[EDGE]
        former.send_signal(signal.SIGKILL)
        await crew.replaced(former, EDGE)
        await far.send("still here")
        assert await far.recv() == "still here"
    assert stage.faults() == []


async def test_an_object_that_its_owner_has_given_up_is_served_where_the_socket_is(
    stage: Stage,
) -> None:
    crew = await crew_of(stage, STATEROOM_EVICT_SECONDS="0.5", STATEROOM_IDLE_SECONDS="0.3")
    edge = crew[EDGE].pid
    assert await served_by(crew, OWNER) == crew[OWNER].pid
    assert await served_by(crew, EDGE) == crew[OWNER].pid, "it remembers who holds it"
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await served_by(crew, EDGE) != edge:
            await SystemClock().sleep(3.0)
    assert stage.faults() == []


async def test_with_the_setting_off_a_link_serves_it(stage: Stage) -> None:
    crew = await crew_of(stage, STATEROOM_HANDOFF="false")
    near, far = crew.connect(OWNER), crew.connect(EDGE)
    async with client(crew, near) as (_, owner), client(crew, far) as (opened, far_owner):
        assert far_owner == owner
        assert (crew.sockets(OWNER), crew.sockets(EDGE)) == (1, 1)
        await opened.send("over a link")
        assert await opened.recv() == "over a link"
    assert stage.faults() == []


async def test_the_worker_that_accepts_a_client_lets_it_in_or_not(stage: Stage) -> None:
    crew = await crew_of(stage, STATEROOM_ROOM_ACCESS="token", STATEROOM_ROOM_TOKEN=TOKEN)
    query = f"{PATH}?token={TOKEN.replace(' ', '%20')}"
    async with client(crew, crew.connect(OWNER), query) as (_, owner):
        with pytest.raises(InvalidStatus) as refused:
            async with client(crew, crew.connect(EDGE)):
                pass
        assert refused.value.response.status_code == 401
        async with client(crew, crew.connect(EDGE), query) as (_, far_owner):
            assert far_owner == owner
            assert (crew.sockets(OWNER), crew.sockets(EDGE)) == (2, 0)
    assert stage.faults() == []
