"""A request whose body or answer comes in pieces, at both ends of a link.

The body of a request stays with the client until the object asks for it (ACCEPT), so what had not
begun can still be sent elsewhere. Then its pieces cross as the object takes them, and those of
the answer as the client does: each direction has the credit of its stream. The end of either body
is said, or why it broke off; a link that breaks is such a reason too, at both ends.
"""

import asyncio
from collections.abc import AsyncIterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from ..core.errors import BodyBroken, LinkBroken, StateroomError
from ..core.pipes import BytePipe
from ..core.tasks import TaskOwner
from .link_ends import StreamLink
from .link_errors import NotBegun, error_from, error_meta, failure_from
from .link_frames import FrameKind
from .link_protocol import WINDOW_BYTES

_PART_BYTES = 64 << 10
"""The largest part of a body in one frame: so that streams take turns."""


class ExchangeLink(StreamLink, Protocol):
    """What the ends of an exchange ask of their link."""

    def give_up(self, stream: int) -> None:
        """Nobody here wants the rest: let both sides forget the stream."""
        ...

    def fail(self, stream: int, error: StateroomError | NotBegun) -> None:
        """End a call with an error."""
        ...


class RemoteAnswer(NamedTuple):
    """The answer to a request, or its beginning."""

    meta: Mapping[str, Any]
    body: bytes | BytePipe


class _Outflow:
    """The bytes of one direction, as fast as the other end takes them."""

    def __init__(self, link: ExchangeLink, stream: int) -> None:
        self._link = link
        self._stream = stream
        self._progress = asyncio.Event()
        self.over = False

    def wake(self) -> None:
        """Some were taken."""
        self._progress.set()

    def end(self) -> None:
        """The stream is over: nobody waits for it."""
        self.over = True
        self._progress.set()

    async def send(self, piece: bytes) -> None:
        """Send a piece, in parts; returns when more may follow."""
        for part in _parts(piece):
            if self.over:
                return
            self._link.tell(FrameKind.BINARY, self._stream, body=part)
            while self._must_wait():
                self._progress.clear()
                await self._progress.wait()

    def _must_wait(self) -> bool:
        return not self.over and self._link.waiting_bytes(self._stream) >= WINDOW_BYTES


class RemoteExchange:
    """The end at the client.

    Args:
        link: To the object.
        stream: Its number.
        body: The request's, if it is a stream.
        tasks: Owner of what sends it.

    Attributes:
        answer: What the object answers; `NotBegun` inside says that it was not asked.
    """

    def __init__(
        self,
        link: ExchangeLink,
        stream: int,
        body: AsyncIterable[bytes] | None,
        tasks: TaskOwner,
    ) -> None:
        self.answer: asyncio.Future[RemoteAnswer] = asyncio.get_running_loop().create_future()
        self._link = link
        self._stream = stream
        self._body = body
        self._tasks = tasks
        self._outflow = _Outflow(link, stream)
        self._sending: asyncio.Task[None] | None = None
        self._pipe = BytePipe(taken=lambda count: link.returned(stream, count), left=self.give_up)

    def told(self, kind: FrameKind, meta: Mapping[str, Any], body: bytes) -> None:
        """See `ExchangeEnd.told`."""
        if kind is FrameKind.BINARY:
            self._pipe.push(body)
        elif kind is FrameKind.HEAD:
            self._begin(RemoteAnswer(meta, self._pipe))
        elif kind is FrameKind.ANSWER:
            self._begin(RemoteAnswer(meta, body))
            self._pipe.finish()
            self._end()
        elif kind is FrameKind.FAIL:
            self._fail(failure_from(meta))
        elif kind is FrameKind.ACCEPT and self._body is not None and self._sending is None:
            self._sending = self._tasks.start(self._send(self._body), name="body")

    def taken(self) -> None:
        """See `ExchangeEnd.taken`."""
        self._outflow.wake()

    def broken(self) -> None:
        """See `ExchangeEnd.broken`."""
        self._fail(LinkBroken())

    def give_up(self) -> None:
        """Nobody waits for the answer, or the rest of it, any more."""
        if not self._outflow.over:
            self._end()
            self._link.give_up(self._stream)

    def _begin(self, answer: RemoteAnswer) -> None:
        """The answer has come, or its head; what was seen first counts."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def _fail(self, error: StateroomError | NotBegun) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # nobody may wait for it any more
        self._pipe.fail(error.error if isinstance(error, NotBegun) else error)
        self._end()

    def _end(self) -> None:
        self._outflow.end()
        self._link.forget(self._stream)
        if self._sending is not None:
            self._sending.cancel()

    async def _send(self, body: AsyncIterable[bytes]) -> None:
        """Send the request's body to its end, or say why there is no end."""
        try:
            async for piece in body:
                await self._outflow.send(piece)
        except StateroomError as error:
            self._link.tell(FrameKind.BODY_END, self._stream, error_meta(error))
        else:
            self._link.tell(FrameKind.BODY_END, self._stream, {})


class ServedExchange:
    """The end at the object. It is the stream of the request's body."""

    def __init__(self, link: ExchangeLink, stream: int) -> None:
        self._link = link
        self._stream = stream
        self._asked = False
        self._outflow = _Outflow(link, stream)
        self._pipe = BytePipe(taken=lambda count: link.returned(stream, count))
        self._answered: BytePipe | None = None

    # -- the request's body --------------------------------------------------------------------

    def __aiter__(self) -> "ServedExchange":
        return self

    async def __anext__(self) -> bytes:
        if not self._asked:
            self._asked = True
            self._link.tell(FrameKind.ACCEPT, self._stream)
        return await anext(self._pipe)

    # -- from the link -------------------------------------------------------------------------

    def told(self, kind: FrameKind, meta: Mapping[str, Any], body: bytes) -> None:
        """See `ExchangeEnd.told`."""
        if kind is FrameKind.BINARY:
            self._pipe.push(body)
        elif kind is FrameKind.BODY_END and meta:
            self._pipe.fail(error_from(meta))
        elif kind is FrameKind.BODY_END:
            self._pipe.finish()

    def taken(self) -> None:
        """See `ExchangeEnd.taken`."""
        self._outflow.wake()

    def broken(self) -> None:
        """See `ExchangeEnd.broken`: the client, or the link to it, is gone."""
        if self._answered is not None:
            self._answered.close()
        self._end("the client is gone")

    # -- the answer ----------------------------------------------------------------------------

    def answer(self, meta: Mapping[str, Any], body: bytes) -> None:
        """Answer with a whole body.

        Raises:
            CallRefused: It is too large; nothing was sent.
        """
        self._link.tell(FrameKind.ANSWER, self._stream, meta, body)
        self._end()

    async def stream(self, meta: Mapping[str, Any], body: BytePipe) -> None:
        """Answer with a body in pieces; returns when its last one was sent or it broke off."""
        self._answered = body
        try:
            if self._outflow.over:
                return
            self._link.tell(FrameKind.HEAD, self._stream, meta)
            async for piece in body:
                await self._outflow.send(piece)
            self._link.tell(FrameKind.ANSWER, self._stream, {})
        except StateroomError as error:
            self.fail(error)
        finally:
            body.close()
            self._end()

    def fail(self, error: StateroomError | NotBegun) -> None:
        """Break the answer off, or give an error in its place."""
        self._link.hurry(self._stream)
        self._link.fail(self._stream, error)
        self._end()

    def _end(self, why: str = "the request is over") -> None:
        self._pipe.fail(BodyBroken(why))
        self._outflow.end()
        self._link.forget(self._stream)


def _parts(piece: bytes) -> Iterator[bytes]:
    if len(piece) <= _PART_BYTES:
        yield piece
        return
    for start in range(0, len(piece), _PART_BYTES):
        yield piece[start : start + _PART_BYTES]
