"""The two servers that are compared, and how a case speaks to each: the same way."""

import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.interop.node_toolchain import NODE_FOLDER
from tests.interop.server_process import ServerProcess, ServerRecipe
from tests.interop.wire_json import Json, dumps, loads

FAILED: Final = "failed"
DEADLINE_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 1.0
"""workerd answers a close and leaves the connection open; nothing is learnt by waiting for it."""
_HERE: Final = Path(__file__).parent
_CLASSES: Final = "tests.interop.compared.scripted"


class Talk:
    """A client's socket to an object."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def steps(self, *steps: list[Any]) -> Json:
        """Have steps run by a message; what each gave."""
        await self.say(dumps({"steps": steps}))
        return loads(await self.hear())

    async def say(self, message: str | bytes) -> None:
        """Send a message."""
        await self._connection.send(message)

    async def hear(self) -> Any:
        """Wait for the next message."""
        return await self._connection.recv()

    async def closed(self) -> list[Any]:
        """Wait for the close; its code and reason."""
        try:
            while True:
                await self._connection.recv()
        except ConnectionClosed:
            return [self._connection.close_code, self._connection.close_reason]

    async def leave(self, code: int, reason: str) -> None:
        """Close from this side."""
        await self._connection.close(code, reason)

    async def vanish(self) -> None:
        """Be gone without a close frame."""
        # The transport is cut as a dead network does; aborting would send a reset, not an end.
        raw: socket.socket = self._connection.transport.get_extra_info("socket")
        raw.shutdown(socket.SHUT_RDWR)
        await self._connection.wait_closed()


class Side:
    """One of the two servers.

    Args:
        name: What it is called in a table.
        port: Where it listens on loopback.
        client: Shared by all of its requests.
    """

    def __init__(self, name: str, port: int, client: httpx.AsyncClient) -> None:
        self.name = name
        self._port = port
        self._client = client

    async def run(self, name: str, *steps: list[Any], ns: str = "scripted") -> Json:
        """Run steps in one event of an object: what each gave, or FAILED for the whole event."""
        answer = await self._client.post(
            f"http://127.0.0.1:{self._port}/objects/{ns}/{name}", content=dumps({"steps": steps})
        )
        return loads(answer.content) if answer.status_code == httpx.codes.OK else FAILED

    @asynccontextmanager
    async def socket(self, name: str, tags: str = "", ns: str = "scripted") -> AsyncIterator[Talk]:
        """A WebSocket to an object."""
        url = f"ws://127.0.0.1:{self._port}/objects/{ns}/{name}?tags={tags}"
        async with connect(
            url,
            open_timeout=DEADLINE_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=None,
        ) as connection:
            yield Talk(connection)


def our_recipe() -> ServerRecipe:
    """Our server with the scripted classes."""
    classes = ("Scripted", "Other", "Interleaved", "Resting")
    return ServerRecipe(
        command=[
            *(sys.executable, "-m", "stateroom", "serve"),
            *("--host", "127.0.0.1", "--port", "{port}", "--data-dir", "{data}"),
        ],
        environment={
            "STATEROOM_NAMESPACES": ",".join(
                f"{name.lower()}={_CLASSES}:{name}" for name in classes
            ),
            "STATEROOM_LEASE_SECONDS": "20",
        },
    )


@contextmanager
def our_server() -> Iterator[ServerProcess]:
    """Our server, with a database of its own."""
    process = ServerProcess(our_recipe())
    try:
        process.start()
        yield process
    finally:
        process.close()


class WorkerdProcess:
    """workerd with scripted.mjs, on a folder that outlives a kill."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        """Start it and return when it listens."""
        self._process = subprocess.Popen(
            [
                str(_workerd()),
                "serve",
                "--control-fd=1",
                f"--directory-path=disk={self._folder}",
                str(_HERE / "workerd.capnp"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        stuck = threading.Timer(DEADLINE_SECONDS, self._process.kill)
        stuck.start()
        line = self._process.stdout.readline()
        stuck.cancel()
        if not line:
            raise RuntimeError("workerd did not start")
        self.port = int(loads(line)["port"])

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None


@contextmanager
def workerd_server() -> Iterator[WorkerdProcess]:
    """workerd, with a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="stateroom-workerd-") as folder:
        process = WorkerdProcess(Path(folder))
        try:
            process.start()
            yield process
        finally:
            process.kill()


def _workerd() -> Path:
    """The program of the npm package for this machine."""
    folder = NODE_FOLDER / "node_modules" / "@cloudflare"
    found = next(folder.glob("workerd-*/bin/workerd"), None)
    if found is None:
        raise RuntimeError("npm has no workerd for this machine")
    return found
