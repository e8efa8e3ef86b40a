"""The request of a WebSocket handshake, from the bytes of its head. Pure.

The HTTP parser has been over it: it is complete and has no control characters. What is checked
here is what makes it a handshake (RFC 6455, section 4.2.1), and that it is not too much of one.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from hashlib import sha1
from typing import NamedTuple

from ..core.handshakes import Handshake, Refusal

_LINE_BYTES = 8190
_HEADERS = 128
_KEY_BYTES = 16
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_REQUEST = 400
_BAD_METHOD = 405
_LONG_TARGET = 414
_UPGRADE_REQUIRED = 426
_LONG_HEADERS = 431


class NoHandshake(Exception):
    """The request is not a handshake; `refusal` says so to the client."""

    def __init__(self, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(text)
        body = f"{text}\n".encode()
        kind = (b"content-type", b"text/plain; charset=utf-8")
        self.refusal = Refusal(status, (kind, *headers), body)


class RequestHead(NamedTuple):
    """A handshake that may be answered.

    Attributes:
        handshake: What is asked for.
        accept_key: The value of `Sec-WebSocket-Accept`.
    """

    handshake: Handshake
    accept_key: bytes


def read_head(head: bytes, client: str) -> RequestHead:
    """Read the head of a request, its empty line included.

    Raises:
        NoHandshake: It cannot be answered with a handshake.
    """
    first, *lines = head.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
    method, target = _read_first_line(first)
    headers = _read_headers(lines)
    if method != b"GET":
        raise NoHandshake(_BAD_METHOD, "A WebSocket begins with GET.", (b"allow", b"GET"))
    if "content-length" in headers or "transfer-encoding" in headers:
        raise NoHandshake(_BAD_REQUEST, "The request of a WebSocket has no body.")
    key = _read_key(headers)
    path, _, query = target.partition(b"?")
    handshake = Handshake(
        path=path,
        query=query.decode("ascii"),
        headers=headers,
        client=client,
        subprotocols=_read_subprotocols(headers.get("sec-websocket-protocol", "")),
    )
    return RequestHead(handshake, b64encode(sha1(key + _MAGIC, usedforsecurity=False).digest()))


def _read_first_line(line: bytes) -> tuple[bytes, bytes]:
    if len(line) > _LINE_BYTES:
        raise NoHandshake(_LONG_TARGET, "The request's target is too long.")
    method, _, rest = line.partition(b" ")
    target = rest.rpartition(b" ")[0]
    if not target.startswith(b"/") or not target.isascii():
        raise NoHandshake(_BAD_REQUEST, "The request's target is no path.")
    return method, target


def _read_headers(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > _HEADERS:
        raise NoHandshake(_LONG_HEADERS, "The request has too many headers.")
    headers: dict[str, str] = {}
    for line in lines:
        if len(line) > _LINE_BYTES:
            raise NoHandshake(_LONG_HEADERS, "A header of the request is too long.")
        name, colon, value = line.decode("latin-1").partition(":")
        name = name.lower()
        if not colon or not _TOKEN.fullmatch(name):
            raise NoHandshake(_BAD_REQUEST, "A header of the request is none.")
        value = value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _read_key(headers: dict[str, str]) -> bytes:
    upgrades = [token.strip().lower() for token in headers.get("connection", "").split(",")]
    if "upgrade" not in upgrades or headers.get("upgrade", "").lower() != "websocket":
        upgrade = (b"upgrade", b"websocket")
        raise NoHandshake(_UPGRADE_REQUIRED, "An upgrade to websocket is expected.", upgrade)
    if headers.get("sec-websocket-version") != "13":
        version = (b"sec-websocket-version", b"13")
        raise NoHandshake(_UPGRADE_REQUIRED, "Only version 13 is spoken.", version)
    key = headers.get("sec-websocket-key", "").encode("latin-1")
    try:
        size = len(b64decode(key, validate=True))
    except NotBase64:
        size = 0
    if size != _KEY_BYTES:
        raise NoHandshake(_BAD_REQUEST, "The request has no key, or one that is none.")
    return key


def _read_subprotocols(header: str) -> tuple[str, ...]:
    offered = tuple(token for token in (part.strip(" \t") for part in header.split(",")) if token)
    if not all(_TOKEN.fullmatch(token) for token in offered) or (header and not offered):
        raise NoHandshake(_BAD_REQUEST, "An offered protocol is no token.")
    return offered
