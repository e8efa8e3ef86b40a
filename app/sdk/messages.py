"""HTTP as an object sees it: a request in, a response out.

Bodies are whole, or streams where the author wants them to be:

* A class with `streams_requests` gets a request as soon as its head is there, and reads the body
  while it comes: `async for piece in request.stream()`.
* `Response(body=pieces())`, with an asynchronous iterator of bytes or text, is sent while it is
  made. The event ends when the response is returned, and the iterator goes on beside the events
  that follow.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..core.codec import dump_json
from ..core.codec import parse_json as _parse
from ..core.grants import EVERYTHING, ClientRole, Grant

_HTTP_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked for.

    Attributes:
        method: Upper case; `GET` for a WebSocket.
        path: The raw path after the object's own address, always beginning with `/`.
        query: The raw query string without `?`; empty when there is none.
        headers: Lower-case names; of repeated headers, the values joined by `, `.
        body: The whole body; empty for a WebSocket, and where the body is a stream.
        client: The client's address as the server trusts it, or empty.
        subprotocols: What a WebSocket client offered, in its order.
        resumed: Whether this is a channel that the object's former room left behind: the client
            knows nothing of the move (see `DurableObject.resumes`).
        grant: What the client was let in for; everything, where rooms are open and in requests
            that objects make.
        role: What the grant gives in this object.
        pieces: Where the body comes from when it is a stream; `stream()` reads either kind.
    """

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = ""
    subprotocols: tuple[str, ...] = ()
    resumed: bool = False
    grant: Grant = field(default=EVERYTHING, repr=False)
    role: ClientRole = ClientRole.WRITE
    pieces: AsyncIterable[bytes] | None = field(default=None, repr=False, compare=False)

    def stream(self) -> AsyncIterator[bytes]:
        """The body in pieces, as it comes; a whole body is one piece. It is read once.

        While a piece is awaited the event goes on, and the client can send no more than what is
        read. When the response is over nothing more can be read.

        Raises:
            BodyBroken: The client is gone, or the request is over.
            BodyTooLarge: It is larger than the service takes.
            BodyTooSlow: The next piece did not come in time.
        """
        return _one(self.body) if self.pieces is None else aiter(self.pieces)

    async def read(self) -> bytes:
        """The whole body, of either kind. Raises what `stream` raises."""
        return self.body if self.pieces is None else b"".join([p async for p in self.stream()])

    def json(self) -> object:
        """The body as JSON, if it is whole.

        Raises:
            ValueError: The body is not JSON.
        """
        return _parse(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the object answers; it leaves only after every write it could reveal is committed.

    Attributes:
        status: The HTTP status.
        body: Sent as it is; a `str` is encoded as UTF-8. An asynchronous iterator of both is sent
            while it gives them: each piece leaves after everything written before it is
            committed. It is asked for the next piece only when the client has taken what was
            sent, outside of events, so what it does between two awaits is atomic and its writes
            are its own. It is closed when the client is gone. When it raises, or the instance
            goes away, the client sees the connection break, never a good end.
        headers: Further headers.
        cookies: Values of `Set-Cookie`, a header of its own for each: `a=1; Path=/; HttpOnly`.
        media_type: The content type, or None to leave it to `headers`.
    """

    status: int = _HTTP_OK
    body: bytes | str | AsyncIterable[bytes | str] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Sequence[str] = ()
    media_type: str | None = "text/plain; charset=utf-8"

    async def read(self) -> bytes:
        """The whole body; a stream is read to its end, once.

        Raises:
            StateroomError: It was broken off.
        """
        if isinstance(self.body, bytes | str):
            return _encoded(self.body)
        return b"".join([_encoded(piece) async for piece in self.body])

    @classmethod
    def json(cls, value: object, *, status: int = _HTTP_OK) -> "Response":
        """A response whose body is `value` as JSON.

        Raises:
            TypeError: The value is not made of JSON types.
        """
        return cls(status=status, body=dump_json(value), media_type="application/json")


async def _one(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


def _encoded(piece: bytes | str) -> bytes:
    return piece.encode() if isinstance(piece, str) else piece
