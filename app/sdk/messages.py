"""HTTP as an object sees it: a request in, a response out. Bodies are whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.codec import dump_json
from ..core.codec import parse_json as _parse

_HTTP_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked for.

    Attributes:
        method: Upper case; `GET` for a WebSocket.
        path: The raw path after the object's own address, always beginning with `/`.
        query: The raw query string without `?`; empty when there is none.
        headers: Lower-case names; of repeated headers, the values joined by `, `.
        body: The whole body; empty for a WebSocket.
        client: The client's address as the server trusts it, or empty.
        subprotocols: What a WebSocket client offered, in its order.
        resumed: Whether this is a channel that the object's former room left behind: the client
            knows nothing of the move (see `DurableObject.resumes`).
    """

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = ""
    subprotocols: tuple[str, ...] = ()
    resumed: bool = False

    def json(self) -> object:
        """The body as JSON.

        Raises:
            ValueError: The body is not JSON.
        """
        return _parse(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the object answers; it leaves only after every write it could reveal is committed.

    Attributes:
        status: The HTTP status.
        body: Sent as it is; a `str` is encoded as UTF-8.
        headers: Further headers.
        media_type: The content type, or None to leave it to `headers`.
    """

    status: int = _HTTP_OK
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str | None = "text/plain; charset=utf-8"

    @classmethod
    def json(cls, value: object, *, status: int = _HTTP_OK) -> "Response":
        """A response whose body is `value` as JSON.

        Raises:
            TypeError: The value is not made of JSON types.
        """
        return cls(status=status, body=dump_json(value), media_type="application/json")
