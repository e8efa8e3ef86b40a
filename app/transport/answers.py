"""Answers to a handshake, as bytes (RFC 6455, section 4.2.2; RFC 9110). Pure."""

from collections.abc import Iterable
from http import HTTPStatus

from ..core.handshakes import Refusal

Headers = Iterable[tuple[bytes, bytes]]


def switching(accept_key: bytes, subprotocol: str | None, more: Headers) -> bytes:
    """The answer that opens a WebSocket."""
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept_key,
        *(name + b": " + value for name, value in more),
    ]
    if subprotocol is not None:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol.encode("ascii"))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def refusing(refusal: Refusal, more: Headers) -> bytes:
    """An answer with a status, behind which the connection is closed."""
    status = HTTPStatus(refusal.status)
    own = [each for each in refusal.headers if each[0] not in {b"content-length", b"connection"}]
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}".encode(),
        *(name + b": " + value for name, value in (*more, *own)),
        f"content-length: {len(refusal.body)}".encode(),
        b"connection: close",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + refusal.body
