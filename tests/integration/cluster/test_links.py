"""Links to workers that are there and do not answer: given up soon, and left alone for a moment."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from app.cluster.link_handshake import link_key
from app.cluster.links import Links
from app.core.clock import SystemClock
from app.core.errors import LinkBroken
from app.core.ids import WorkerId
from app.core.tasks import TaskOwner

KEY = link_key(b"the key of a cluster")
DEADLINE_SECONDS = 30.0
SILENCE_SECONDS = 0.4

_tasks = TaskOwner("test")


class Pair:
    """Two workers' links on one machine."""

    def __init__(self) -> None:
        self.ids = [WorkerId(uuid.uuid4()) for _ in range(2)]
        self.one, self.two = (self._links(worker_id) for worker_id in self.ids)
        self.address = ""

    async def start(self) -> None:
        await self.one.listen("127.0.0.1", 0)
        host, port = await self.two.listen("127.0.0.1", 0)
        self.address = f"{host}:{port}"

    def _links(self, worker_id: WorkerId) -> Links:
        return Links(
            key=KEY,
            worker_id=lambda: worker_id,
            clock=SystemClock(),
            silence_seconds=SILENCE_SECONDS,
        )


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    made = Pair()
    async with AsyncExitStack() as stack:
        await made.start()
        stack.push_async_callback(made.one.close)
        stack.push_async_callback(made.two.close)
        yield made


@pytest.fixture
async def mute() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """The address of somebody who takes connections and says nothing, and the connections."""
    taken: list[asyncio.StreamWriter] = []

    def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    yield f"{host}:{port}", taken
    for writer in taken:
        writer.close()
    server.close()
    await server.wait_closed()


async def test_a_sign_of_life_that_is_due_while_a_worker_is_dialled_does_not_eat_the_hello(
    pair: Pair,
) -> None:
    dialling = _tasks.start(pair.one.to(pair.ids[1], pair.address), name="dial")
    while not pair.one._all:  # noqa: ASYNC110 - a step of the loop each
        await asyncio.sleep(0)  # noqa: TID251 - likewise
    (link,) = pair.one._all
    assert link._transport is None
    link.ping()
    assert (await dialling).alive


async def test_a_worker_that_takes_the_connection_and_says_nothing_is_given_up(
    pair: Pair, mute: tuple[str, list[asyncio.StreamWriter]]
) -> None:
    address, _ = mute
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(LinkBroken):
            await pair.one.to(WorkerId(uuid.uuid4()), address)
    assert len(pair.one) == 0


async def test_a_worker_that_could_not_be_reached_is_not_dialled_again_at_once(
    pair: Pair, mute: tuple[str, list[asyncio.StreamWriter]]
) -> None:
    address, taken = mute
    worker_id = WorkerId(uuid.uuid4())
    for _ in range(5):
        with pytest.raises(LinkBroken):
            await pair.one.to(worker_id, address)
    assert len(taken) == 1
    with pytest.raises(LinkBroken):
        await pair.one.to(WorkerId(uuid.uuid4()), address)
    assert len(taken) == 2


async def test_a_worker_that_could_not_be_reached_is_found_when_it_is_back(pair: Pair) -> None:
    host = pair.address.rpartition(":")[0]
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(LinkBroken):
            await pair.one.to(pair.ids[1], f"{host}:1")
        link = None
        while link is None:
            try:
                link = await pair.one.to(pair.ids[1], pair.address)
            except LinkBroken:
                await SystemClock().sleep(0.02)
    assert link.alive


async def test_a_link_that_falls_silent_is_cut_and_one_that_only_pings_is_not(pair: Pair) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        link = await pair.one.to(pair.ids[1], pair.address)
        await SystemClock().sleep(3 * SILENCE_SECONDS)
        assert len(pair.one) == 1
        (other,) = pair.two._all
        assert other._transport is not None
        other._transport.pause_reading()
        while link.alive:
            await SystemClock().sleep(0.02)
    assert len(pair.one) == 0
