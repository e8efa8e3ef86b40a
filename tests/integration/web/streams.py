"""Objects whose requests and answers come in pieces."""

import asyncio
import hashlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

from app.sdk import DurableObject, Request, Response

PIECE = bytes(range(256)) * 256  # 64 KiB


class Streamer(DurableObject):
    """Reads requests while they come, and answers in pieces. It runs on the service's thread."""

    streams_requests: ClassVar[bool] = True
    log: ClassVar[dict[str, list[str]]] = defaultdict(list)
    feeds: ClassVar[dict[str, list[asyncio.Queue[str]]]] = defaultdict(list)

    async def on_request(self, request: Request) -> Response:
        what, _, number = request.path.strip("/").partition("/")
        if what == "upload":
            return await self.upload(request)
        if what == "ignore":
            return Response(body="no need")
        if what == "process":
            return Response(body=str(os.getpid()))
        if what == "say":
            return await self.say(await request.read())
        bodies: dict[str, Callable[[], AsyncIterator[bytes] | AsyncIterator[str]]] = {
            "download": lambda: self.download(int(number)),
            "echo": lambda: self.echo(request),
            "feed": self.feed,
            "break": self.break_off,
            "count": self.count,
        }
        body = bodies[what]()
        headers = {"content-length": number} if what == "count" else {}
        media_type = "text/event-stream" if what == "feed" else "application/octet-stream"
        return Response(body=body, headers=headers, media_type=media_type)

    async def upload(self, request: Request) -> Response:
        size, seen = 0, hashlib.sha256()
        try:
            async for piece in request.stream():
                if not size:
                    self.note("begun")
                size += len(piece)
                seen.update(piece)
        except Exception as error:
            self.note(type(error).__name__)
            raise
        self.ctx.storage.put("size", size)
        return Response.json({"bytes": size, "sha256": seen.hexdigest()})

    async def say(self, word: bytes) -> Response:
        feeds = self.feeds[self.ctx.id.name or ""]
        for feed in feeds:
            feed.put_nowait(word.decode())
        return Response(body=str(len(feeds)))

    async def download(self, pieces: int) -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield PIECE

    async def echo(self, request: Request) -> AsyncIterator[bytes]:
        async for piece in request.stream():
            yield piece.upper()

    async def feed(self) -> AsyncIterator[str]:
        """Server-sent events, for as long as somebody listens."""
        feed: asyncio.Queue[str] = asyncio.Queue()
        feeds = self.feeds[self.ctx.id.name or ""]
        feeds.append(feed)
        try:
            yield ": hello\n\n"
            while True:
                word = await feed.get()
                self.ctx.storage.put("said", word)
                yield f"data: {word}\n\n"
        finally:
            feeds.remove(feed)
            self.note("feed closed")

    async def break_off(self) -> AsyncIterator[bytes]:
        yield b"the beginning"
        await asyncio.sleep(0.05)  # noqa: TID251 - lets the client see it
        raise RuntimeError("a secret that is for the log only")

    async def count(self) -> AsyncIterator[str]:
        for letter in "abc":
            yield letter

    def note(self, word: str) -> None:
        self.log[self.ctx.id.name or ""].append(word)
