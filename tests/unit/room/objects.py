"""Objects that the engine's tests run."""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from app.sdk import Connection, DurableObject, Request, Response


class Counter(DurableObject):
    """Counts messages, tells everybody."""

    count: int

    async def on_start(self) -> None:
        self.count = await self.ctx.storage.get("count", 0)

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "crash":
            self.ctx.storage.put("count", -1)
            self.ctx.broadcast("never seen")
            raise RuntimeError("as asked")
        self.count += 1
        self.ctx.storage.put("count", self.count)
        self.ctx.broadcast(str(self.count))

    async def on_request(self, request: Request) -> Response:
        self.count += 1
        self.ctx.storage.put("count", self.count)
        return Response(body=str(self.count))


class PlainCounter(DurableObject):
    """The same with a plain `on_message`."""

    starts = 0
    count: int

    async def on_start(self) -> None:
        type(self).starts += 1
        self.count = await self.ctx.storage.get("count", 0)

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "crash":
            self.ctx.storage.put("count", -1)
            self.ctx.broadcast("never seen")
            raise RuntimeError("as asked")
        if message == "ping":
            connection.send("pong")
            return
        self.count += 1
        self.ctx.storage.put("count", self.count)
        self.ctx.broadcast(str(self.count))


class Script(DurableObject):
    """Runs whatever coroutine function a test puts in `steps[message]`."""

    steps: ClassVar[dict[str, Any]] = {}
    closes: ClassVar[list[tuple[int, str, bool]]] = []

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        await self.steps[str(message)](self, connection)

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        self.closes.append((code, reason, clean))


class Sleeper(DurableObject):
    """Its message hook waits for a future that the test holds."""

    waits: ClassVar[list["asyncio.Future[None]"]] = []

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waits.append(future)
        await future
        connection.send(message)


class Probe(DurableObject):
    """Every hook runs what a test put in `hooks` under its name, if anything."""

    hooks: ClassVar[dict[str, Callable[..., Any]]] = {}
    heard: ClassVar[list[str]] = []

    def on_start(self) -> Any:
        return self._run("start")

    def on_connect(self, connection: Connection, request: Request) -> Any:
        return self._run("connect", connection)

    def on_message(self, connection: Connection, message: str | bytes) -> Any:
        return self._run("message", connection, message)

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> Any:
        return self._run("close", connection)

    def on_request(self, request: Request) -> Any:
        return self._run("request")

    def on_evict(self, reason: str) -> Any:
        return self._run("evict", reason)

    def _run(self, name: str, *arguments: Any) -> Any:
        self.heard.append(name)
        hook = self.hooks.get(name)
        return None if hook is None else hook(self, *arguments)


class QueuedProbe(Probe):
    """The same with a coroutine for messages, which always goes through the mailbox."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        result = self._run("message", connection, message)
        if result is not None:
            await result
