"""An answer that is sent while its object makes it.

Each piece is written when the server takes it, so a slow client holds the object's iterator back;
one that takes nothing for too long is cut off, and one that is gone closes the iterator. What
ends before its good end leaves the response incomplete: the server then breaks the connection,
and no client takes the part for the whole.
"""

import asyncio
from collections.abc import Mapping

import structlog
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ..core.errors import StateroomError
from ..core.pipes import BytePipe
from ..core.tasks import TaskOwner
from .bodies import RequestBody

_SEND_SECONDS = 60.0
"""How long a client may take nothing at all."""

_log = structlog.get_logger("stateroom.http")


class StreamedAnswer(Response):
    """See the module.

    Args:
        pieces: The body.
        request: The request's, which knows when the client is gone.
        tasks: Owner of the watch over the client.
    """

    def __init__(
        self,
        pieces: BytePipe,
        *,
        status: int,
        headers: Mapping[str, str],
        media_type: str | None,
        request: RequestBody,
        tasks: TaskOwner,
    ) -> None:
        self._pieces = pieces
        self._request = request
        self._tasks = tasks
        self._left: int | None = None
        self.status_code = status
        self.media_type = media_type
        self.background = None
        self.init_headers(headers)
        length = self.headers.get("content-length")
        if length is not None:
            self._left = int(length)  # the room has made sure that it is a number

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. It returns without having completed the response when that is to be broken off."""
        del receive  # it is the request's
        watch = self._tasks.start(self._watch(), name="client")
        try:
            head = {"status": self.status_code, "headers": self.raw_headers}
            await self._send(send, {"type": "http.response.start", **head})
            async for piece in self._pieces:
                self._count(len(piece))
                await self._send(send, _part(piece, more=True))
            self._check_end()
            await self._send(send, _part(b"", more=False))
        except StateroomError:
            """Whoever broke it off has logged why."""
        except _WrongLength:
            _log.warning("body_of_another_length", path=scope["path"])
        except TimeoutError:
            _log.warning("slow_reader_cut_off", path=scope["path"], seconds=_SEND_SECONDS)
        finally:
            self._pieces.close()
            self._request.close()
            watch.cancel()

    async def _watch(self) -> None:
        await self._request.gone()
        self._pieces.close()

    async def _send(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(_SEND_SECONDS):
            await send(message)

    def _count(self, size: int) -> None:
        """Count what is sent; the server would take more than was announced for our fault."""
        if self._left is not None:
            if size > self._left:
                raise _WrongLength
            self._left -= size

    def _check_end(self) -> None:
        if self._left:
            raise _WrongLength


class _WrongLength(Exception):
    """The object made more or less than its `content-length` says."""


def _part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
