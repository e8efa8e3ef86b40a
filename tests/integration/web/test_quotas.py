"""Quotas over real sockets: who asks too much of an object hears it, and nobody else does."""

import httpx
import pytest
import websockets

from .conftest import StartService
from .patience import until
from .running_service import RunningService, ServerKind

WAIT_SECONDS = 60.0
EVENTS_PER_SECOND = 2
BURST = 10 * EVENTS_PER_SECOND


@pytest.fixture(scope="module")
def bounded(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, quota_events_per_second=EVENTS_PER_SECOND)


def address(service: RunningService, name: str) -> str:
    return f"ws://127.0.0.1:{service.port}/objects/speaker/{name}"


async def ask_for_ever(socket: websockets.ClientConnection) -> None:
    while True:
        await socket.send("hello")
        await socket.recv()


async def test_a_socket_that_asks_too_much_is_closed_and_may_come_back_later(
    bounded: RunningService, name: str
) -> None:
    async with websockets.connect(address(bounded, name)) as socket:
        with pytest.raises(websockets.ConnectionClosed) as ended:
            await ask_for_ever(socket)
        assert ended.value.rcvd is not None
        assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (1013, "quota_exceeded")
    async with websockets.connect(address(bounded, f"{name}-other")) as other:
        await other.send("hello")
        assert await other.recv()

    async def served_again() -> bool:
        async with websockets.connect(address(bounded, name)) as socket:
            try:
                await socket.send("hello")
                return bool(await socket.recv())
            except websockets.ConnectionClosed:
                return False

    await until(served_again, seconds=WAIT_SECONDS)


async def test_a_request_too_many_is_answered_with_429_and_when_to_come_back(
    bounded: RunningService, name: str
) -> None:
    url = f"http://127.0.0.1:{bounded.port}/objects/counter/{name}"
    served = 0
    async with httpx.AsyncClient(timeout=60) as client:

        async def refused() -> bool:
            nonlocal served
            answer = await client.post(url)
            if answer.status_code == 200:
                served = answer.json()["count"]
                return False
            assert answer.status_code == 429
            assert answer.json()["code"] == "quota_exceeded"
            assert int(answer.headers["retry-after"]) >= 1
            return True

        await until(refused, seconds=WAIT_SECONDS)

        async def served_again() -> bool:
            answer = await client.post(url)
            if answer.status_code != 200:
                return False
            # What was refused has not been run, and nothing that was answered is lost.
            assert answer.json()["count"] == served + 1
            return True

        await until(served_again, seconds=WAIT_SECONDS)
