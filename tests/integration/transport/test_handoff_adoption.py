"""An adopted socket behaves like one that was accepted here, on either event loop."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import cast

import pytest
import uvloop

from app.core.tasks import TaskOwner
from app.transport.handoff_adoption import Adoption
from tests.integration.transport.handoff_bench import descriptors

LOOPS = [uvloop.new_event_loop, asyncio.new_event_loop]


class Recorder(asyncio.Protocol):
    """Notes what happens to it, in order."""

    def __init__(self) -> None:
        self.seen: list[str | bytes] = []
        self.transport: asyncio.Transport
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.seen.append("made")

    def data_received(self, data: bytes) -> None:
        self.seen.append(data)
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)


def accepted() -> tuple[socket.socket, socket.socket]:
    """A client, and its socket as a listener gives it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        client.settimeout(30)
        ours, _ = listener.accept()
    ours.setblocking(False)  # noqa: FBT003 - a socket's own way to say it
    return client, ours


def left_by(
    scenario: Callable[[], Coroutine[None, None, None]],
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> int:
    """How many descriptors a scenario leaves open; a first loop opens some for good."""
    counts = []
    for _ in range(2):
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(scenario())
        counts.append(descriptors())
    return counts[1] - counts[0]


@pytest.mark.parametrize("loop", LOOPS, ids=["uvloop", "asyncio"])
def test_what_was_read_comes_first_then_what_the_client_has_sent_since(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> None:
        tasks = TaskOwner("test")
        recorder = Recorder()
        client, ours = accepted()
        with client:
            client.send(b"sent while it was decided")
            Adoption(lambda: recorder, tasks).adopt(ours, b"the request")
            async with asyncio.timeout(30):
                while len(recorder.seen) < 3:
                    recorder.changed.clear()
                    await recorder.changed.wait()
            assert recorder.seen == ["made", b"the request", b"sent while it was decided"]
            assert recorder.transport.get_extra_info("peername") == client.getsockname()
            recorder.transport.write(b"answer")
            assert await asyncio.to_thread(client.recv, 100) == b"answer"
        async with asyncio.timeout(30):
            await recorder.ended
        await tasks.close()

    assert left_by(scenario, loop) == 0


@pytest.mark.parametrize("loop", LOOPS, ids=["uvloop", "asyncio"])
def test_a_client_that_is_gone_by_then_leaves_nothing(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> None:
        tasks = TaskOwner("test")
        recorder = Recorder()
        client, ours = accepted()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        client.close()
        Adoption(lambda: recorder, tasks).adopt(ours, b"the request")
        async with asyncio.timeout(30):
            await recorder.ended
        await tasks.close()

    assert left_by(scenario, loop) == 0


@pytest.mark.parametrize("loop", LOOPS, ids=["uvloop", "asyncio"])
def test_a_worker_that_ends_at_once_closes_what_it_had_not_begun(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> None:
        tasks = TaskOwner("test")
        client, ours = accepted()
        with client:
            Adoption(Recorder, tasks).adopt(ours, b"the request")
            await tasks.close()
            assert await asyncio.to_thread(client.recv, 100) == b""

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())
