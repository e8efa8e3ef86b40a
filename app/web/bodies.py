"""The body of one HTTP request, as the server hands it over: whole, or piece by piece.

It is read when it is asked for and no sooner, so the server's own flow control holds the client
back. It is bounded in size, and the client must not pause for too long. The same reader notices
that the client is gone, for one message queue of the server tells both.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ..core.errors import BodyBroken, BodyTooLarge, BodyTooSlow, StateroomError

_BODY_SECONDS = 30.0
"""How long a whole body may take, and each piece of one that is streamed."""

Receive = Callable[[], Awaitable[Any]]


class RequestBody:
    """See the module. It is an asynchronous iterator over the pieces.

    Args:
        receive: The server's, of ASGI.
        limit_bytes: The largest body.
        declared: The request's `content-length`, if it has one.
        unread_seconds: How long what has come may wait until somebody reads it.

    Raises:
        BodyTooLarge: It says so itself.
    """

    def __init__(
        self,
        receive: Receive,
        *,
        limit_bytes: int,
        declared: str | None = None,
        unread_seconds: float = _BODY_SECONDS,
    ) -> None:
        if declared is not None and declared.isdecimal() and int(declared) > limit_bytes:
            raise BodyTooLarge
        self._receive = receive
        self._limit_bytes = limit_bytes
        self._unread_seconds = unread_seconds
        self._size = 0
        self._piece: bytes | None = None
        self._more = True
        self._gone = False
        self._error: StateroomError | None = None
        self._receiving = asyncio.Lock()
        self._taken = asyncio.Event()

    async def whole(self) -> bytes:
        """Read all of it.

        Raises:
            BodyBroken: See `sdk.Request.stream`.
        """
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                return b"".join([piece async for piece in self])
        except TimeoutError:
            raise BodyTooSlow from None

    def __aiter__(self) -> "RequestBody":
        return self

    async def __anext__(self) -> bytes:
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                while self._piece is None and self._more and self._error is None:
                    await self._take_in()
        except TimeoutError:
            self._error = self._error or BodyTooSlow()
        if self._error is not None:
            raise self._error
        piece, self._piece = self._piece, None
        self._taken.set()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def gone(self) -> None:
        """Wait until the client is gone. What nobody reads of the body is dropped after a while."""
        while not self._gone:
            if self._piece is not None and self._error is None:
                self._taken.clear()
                try:
                    async with asyncio.timeout(self._unread_seconds):
                        await self._taken.wait()
                except TimeoutError:
                    self.close()
            else:
                await self._take_in()

    def close(self) -> None:
        """The request is over: nothing of its body is read any more."""
        self._error = self._error or BodyBroken("the request is over")
        self._piece = None
        self._taken.set()

    async def _take_in(self) -> None:
        """Take one message from the server; of several that ask, one at a time."""
        async with self._receiving:
            if self._gone or (self._piece is not None and self._error is None):
                return
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone = True
                if self._more:
                    self._error = self._error or BodyBroken("the client is gone")
                return
            piece: bytes = message.get("body", b"")
            self._more = bool(message.get("more_body", False))
            self._size += len(piece)
            if self._size > self._limit_bytes:
                self._error = self._error or BodyTooLarge()
            elif self._error is None:
                self._piece = piece or None
