"""Objects that the tests of the web layer mount. They run on the service's thread."""

import asyncio
from collections import defaultdict
from typing import Any, ClassVar

from app.sdk import Connection, DurableObject, ProtocolViolated, Request, Response


class Counter(DurableObject):
    """Counts requests and shows what it was asked."""

    count: int

    async def on_start(self) -> None:
        self.count = await self.ctx.storage.get("count", 0)

    def on_request(self, request: Request) -> Response:
        if request.path == "/raise":
            self.ctx.storage.put("count", -1)
            raise RuntimeError("a secret that is for the log only")
        if request.path == "/id":
            return Response(body=request.headers["x-request-id"])
        if request.path == "/cookies":
            return Response(cookies=["a=1; Path=/; HttpOnly", "b=2, 3"])
        if request.path == "/empty":
            return Response(status=204, media_type=None)
        self.count += 1
        self.ctx.storage.put("count", self.count)
        shown = {
            "count": self.count,
            "name": self.ctx.id.name,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "bytes": len(request.body),
            "twice": request.headers.get("x-twice", ""),
        }
        return Response.json(shown)


class Speaker(DurableObject):
    """Says back what it hears, with its type, and does what it is told."""

    heard: ClassVar[dict[str, list[str | bytes]]] = defaultdict(list)
    ends: ClassVar[dict[str, list[tuple[int, str, bool]]]] = defaultdict(list)
    breaches: ClassVar[dict[str, list[int]]] = defaultdict(list)

    def on_connect(self, connection: Connection, request: Request) -> None:
        if request.path == "/no":
            connection.close(int(request.query or 4001), "not you")
        elif request.path == "/told":
            connection.send(f"{','.join(request.subprotocols)} {request.query}")

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        self.heard[self.ctx.id.name or ""].append(message)
        if message == "close":
            connection.send("last words")
            connection.close(4000, "as told")
        elif message == "crash":
            raise RuntimeError("as told")
        elif isinstance(message, str) and message.startswith("all "):
            self.ctx.broadcast(message)
        else:
            connection.send(message)

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        self.ends[self.ctx.id.name or ""].append((code, reason, clean))

    def on_error(self, connection: Connection, error: ProtocolViolated) -> None:
        self.breaches[self.ctx.id.name or ""].append(error.close_code)


class Doorkeeper(DurableObject):
    """Hears messages one after another, each only when the test lets it."""

    doors: ClassVar[dict[str, asyncio.Event]] = {}
    heard: ClassVar[dict[str, list[str]]] = defaultdict(list)
    ends: ClassVar[dict[str, int]] = defaultdict(int)

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        name = self.ctx.id.name or ""
        await self.doors.setdefault(name, asyncio.Event()).wait()
        self.heard[name].append(str(message)[:20])
        connection.send(str(message)[:20])

    def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        self.ends[self.ctx.id.name or ""] += 1


class NeverStarts(DurableObject):
    """Cannot be started."""

    async def on_start(self) -> None:
        raise RuntimeError("a secret that is for the log only")


CLASSES: dict[str, type[Any]] = {
    "counter": Counter,
    "speaker": Speaker,
    "door": Doorkeeper,
    "broken": NeverStarts,
}
