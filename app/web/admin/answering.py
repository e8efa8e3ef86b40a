"""From what an operation answers to an HTTP response.

Nothing of the admin plane may be kept by a cache or shown as anything but what it says it is.
A stream is begun before the head is sent, so that what is wrong with its beginning is told as a
problem; one that fails later breaks the connection.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import structlog
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ...core.codec import dump_json
from ...core.errors import StateroomError
from ...core.tasks import TaskOwner
from ..bodies import RequestBody
from .operation import Answer, Operation, Replied
from .streams import OpenStreams

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}

_SEND_SECONDS: Final = 60.0
"""How long a client may take nothing at all."""

_log = structlog.get_logger("stateroom.admin")


async def respond(
    operation: Operation,
    answer: Answer,
    *,
    request: RequestBody,
    tasks: TaskOwner,
    streams: OpenStreams,
) -> Response:
    """Make the response for a good answer.

    Raises:
        TooManyStreams: It is given in pieces, and too many are at the moment.
        StateroomError: What a stream raised before its first piece.
    """
    replied = answer if isinstance(answer, Replied) else Replied(answer=answer)
    status = replied.status or operation.good_status
    content, headers = replied.answer, dict(replied.headers)
    if content is None:
        return Response(status_code=status, headers=headers)
    if isinstance(content, BaseModel):
        body = json_of(content)
        return Response(body, status_code=status, headers=headers, media_type="application/json")
    media_type = headers.pop("content-type", operation.gives)
    if isinstance(content, bytes):
        return Response(content, status_code=status, headers=headers, media_type=media_type)
    streams.enter()
    try:
        first = await anext(content, None)
    except BaseException:
        streams.leave()
        raise
    return _Stream(
        first,
        content,
        request=request,
        tasks=tasks,
        over=streams.leave,
        status_code=status,
        headers=headers,
        media_type=media_type,
    )


def json_of(model: BaseModel) -> bytes:
    """Print a model as JSON."""
    return dump_json(model.model_dump(mode="json", by_alias=True))


class _Stream(Response):
    """See the module."""

    def __init__(
        self,
        first: bytes | None,
        rest: AsyncIterator[bytes],
        *,
        request: RequestBody,
        tasks: TaskOwner,
        over: Callable[[], None],
        status_code: int,
        headers: Mapping[str, str],
        media_type: str | None,
    ) -> None:
        self._first = first
        self._rest = rest
        self._request = request
        self._tasks = tasks
        self._over = over
        self._gone = False
        self.status_code = status_code
        self.media_type = media_type
        self.background = None
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. It returns without having completed the response when that is to be broken off."""
        del receive  # it is the request's
        watch = self._tasks.start(self._watch(), name="admin-client")
        try:
            head = {"status": self.status_code, "headers": self.raw_headers}
            await _send(send, {"type": "http.response.start", **head})
            if self._first is not None and scope["method"] != "HEAD":
                await self._send_all(send)
            if not self._gone:
                await _send(send, {"type": "http.response.body", "body": b""})
        except StateroomError as error:
            _log.warning("admin_stream_broken_off", path=scope["path"], code=error.code)
        except TimeoutError:
            _log.warning("slow_reader_cut_off", path=scope["path"], seconds=_SEND_SECONDS)
        finally:
            watch.cancel()
            self._request.close()
            close: Any = getattr(self._rest, "aclose", None)
            try:
                if close is not None:
                    await close()
            finally:
                self._over()

    async def _send_all(self, send: Send) -> None:
        piece = self._first
        while piece is not None and not self._gone:
            await _send(send, {"type": "http.response.body", "body": piece, "more_body": True})
            piece = await anext(self._rest, None)

    async def _watch(self) -> None:
        await self._request.gone()
        self._gone = True


async def _send(send: Send, message: Message) -> None:
    async with asyncio.timeout(_SEND_SECONDS):
        await send(message)
