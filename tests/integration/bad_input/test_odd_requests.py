"""Requests that no honest client makes: clean statuses or a closed connection, and a quiet log."""

import re

import pytest

from tests.integration.web.wire_socket import WireSocket, upgrade_request

from .attacked_server import AttackedServer
from .witness import witness

UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
KEY = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
HOST = b"Host: 127.0.0.1\r\n"
SOCKET = HOST + UPGRADE + KEY
CLOSE = b"Connection: close\r\n"

REQUESTS: dict[str, tuple[bytes, set[int | None]]] = {
    "nothing": (b"", {None}),
    "a line feed": (b"\n\n", {None}),
    "no HTTP": (b"hello\r\n\r\n", {400}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50, {400}),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "HTTP/0.9": (b"GET /\r\n\r\n", {400, 421}),
    "HTTP/9.9": (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", {400, 426}),
    "an unknown method": (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", {400, 405}),
    "CONNECT": (b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {400, 404, 405}),
    "TRACE": (b"TRACE / HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {405}),
    "a star": (b"OPTIONS * HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {400, 404, 426}),
    "an absolute target": (b"GET http://evil/x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {400, 426}),
    "no host": (b"GET /room HTTP/1.1\r\n" + CLOSE + b"\r\n", {400, 421}),
    "two hosts": (
        b"GET /objects/x/y HTTP/1.1\r\n" + HOST + b"Host: evil\r\n" + CLOSE + b"\r\n",
        {400, 404, 421},
    ),
    "a header without a name": (b"GET / HTTP/1.1\r\n: x\r\n\r\n", {400}),
    "a header with a space": (b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n", {400}),
    "a header with NUL": (b"GET / HTTP/1.1\r\nX: a\x00b\r\n" + HOST + b"\r\n", {400}),
    "a folded header": (b"GET / HTTP/1.1\r\nX: a\r\n b\r\n" + HOST + CLOSE + b"\r\n", {400, 426}),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n", {400, 426}),
    "length twice": (
        b"POST /objects/tinybase/x HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        {400},
    ),
    "length and chunks": (
        b"POST /objects/tinybase/x HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n",
        {400},
    ),
    "chunks that are none": (
        b"POST /objects/tinybase/x HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        {400},
    ),
    "a chunk of all bytes there are": (
        b"POST /objects/tinybase/x HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        {400},
    ),
    "a negative length": (
        b"POST /objects/tinybase/x HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
        {400},
    ),
    "an odd encoding": (
        b"POST /objects/tinybase/x HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "a path with NUL": (b"GET /a\x00b HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "a path that is not ASCII": (
        b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
        {400, 426},
    ),
    "a fragment": (b"GET /a#b HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {400, 426}),
    "a long header": (
        b"GET / HTTP/1.1\r\n" + HOST + CLOSE + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
        {400, 426, 431},
    ),
    "a thousand headers": (
        b"GET / HTTP/1.1\r\n" + HOST + CLOSE + b"X: x\r\n" * 1_000 + b"\r\n",
        {400, 426, 431},
    ),
    "a long path": (
        b"GET /" + b"p" * 100_000 + b" HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n",
        {400, 414, 426},
    ),
    "socket: dot segments": (b"GET /../../etc/passwd HTTP/1.1\r\n" + SOCKET + b"\r\n", {101}),
    "socket: dots into a reserved one": (b"GET /a/../admin HTTP/1.1\r\n" + SOCKET + b"\r\n", {101}),
    "socket: an escaped NUL": (b"GET /a%00b HTTP/1.1\r\n" + SOCKET + b"\r\n", {101}),
    "socket: an escaped slash": (b"GET /a%2Fb HTTP/1.1\r\n" + SOCKET + b"\r\n", {101}),
    "socket: an escape that is none": (b"GET /a%zz% HTTP/1.1\r\n" + SOCKET + b"\r\n", {101}),
    "socket: an object with NUL": (
        b"GET /objects/tinybase/a%00b HTTP/1.1\r\n" + SOCKET + b"\r\n",
        {101, 400},
    ),
    "socket: bytes that are no UTF-8": (b"GET /\xff\xfe HTTP/1.1\r\n" + SOCKET + b"\r\n", {400}),
    "socket: escaped bytes that are no UTF-8": (
        b"GET /%FF%FE HTTP/1.1\r\n" + SOCKET + b"\r\n",
        {101},
    ),
    "socket: a query that is not ASCII": (b"GET /a?\xff HTTP/1.1\r\n" + SOCKET + b"\r\n", {400}),
    "socket: a query of many tokens": (
        b"GET /a?" + b"token=a&" * 500 + b" HTTP/1.1\r\n" + SOCKET + b"\r\n",
        {101},
    ),
    "socket: a long query": (
        b"GET /a?" + b"q" * 20_000 + b" HTTP/1.1\r\n" + SOCKET + b"\r\n",
        {400, 414},
    ),
    "socket: a long header": (
        b"GET /a HTTP/1.1\r\n" + SOCKET + b"X: " + b"x" * 20_000 + b"\r\n\r\n",
        {400, 431},
    ),
    "socket: many headers": (
        b"GET /a HTTP/1.1\r\n" + SOCKET + b"X: x\r\n" * 500 + b"\r\n",
        {400, 431},
    ),
    "socket: a header that is not ASCII": (
        b"GET /a HTTP/1.1\r\n" + SOCKET + b"X: \xff\r\n\r\n",
        {101, 400},
    ),
    "socket: with POST": (b"POST /a HTTP/1.1\r\n" + SOCKET + b"\r\n", {400, 405, 426, 101}),
    "socket: with a body": (
        b"GET /a HTTP/1.1\r\n" + SOCKET + b"Content-Length: 5\r\n\r\nhello",
        {400},
    ),
    "socket: in chunks": (
        b"GET /a HTTP/1.1\r\n" + SOCKET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        {400},
    ),
    "socket: HTTP/1.0": (b"GET /a HTTP/1.0\r\n" + SOCKET + b"\r\n", {101, 400, 426}),
    "socket: an old version": (
        b"GET /a HTTP/1.1\r\n" + HOST + KEY + UPGRADE.replace(b"13", b"8") + b"\r\n",
        {400, 426},
    ),
    "socket: no key": (b"GET /a HTTP/1.1\r\n" + HOST + UPGRADE + b"\r\n", {400}),
    "socket: a short key": (
        b"GET /a HTTP/1.1\r\n" + HOST + UPGRADE + b"Sec-WebSocket-Key: AA==\r\n\r\n",
        {400},
    ),
    "socket: two keys": (b"GET /a HTTP/1.1\r\n" + SOCKET + KEY + b"\r\n", {400}),
    "socket: an odd protocol": (
        b"GET /a HTTP/1.1\r\n" + SOCKET + b"Sec-WebSocket-Protocol: \x01,,\r\n\r\n",
        {400},
    ),
    "socket: a long protocol": (
        b"GET /a HTTP/1.1\r\n" + SOCKET + b"Sec-WebSocket-Protocol: " + b"p" * 5_000 + b"\r\n\r\n",
        {101, 400},
    ),
    "socket: another upgrade": (
        b"GET /a HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n",
        {400, 426},
    ),
    "socket: an odd origin": (
        b"GET /a HTTP/1.1\r\n" + SOCKET + b"Origin: http://[::1\r\n\r\n",
        {403},
    ),
    "socket: an odd host": (
        b"GET /a HTTP/1.1\r\nHost: [::1\r\n" + UPGRADE + KEY + b"\r\n",
        {400, 421},
    ),
}


@pytest.mark.parametrize("what", REQUESTS)
async def test_an_odd_request_gets_a_clean_answer_or_none(
    server: AttackedServer, what: str
) -> None:
    request, allowed = REQUESTS[what]
    wire = await WireSocket.dial(server.port)
    wire.write(request)
    status = None
    if allowed != {None}:
        head = await wire.reader.readline()
        found = re.fullmatch(rb"HTTP/1\.1 (\d{3})[^\r\n]*\r\n", head)
        assert found is not None, head
        status = int(found[1])
    if status is not None and status != 101:
        rest = await wire.ended()
        assert b"Traceback" not in rest
        assert rest.count(b"HTTP/1.1 ") == 0, "one request, several answers"
    wire.vanish()
    assert status in allowed


async def test_odd_requests_on_one_connection_do_not_reach_another_room(
    server: AttackedServer, room: str
) -> None:
    async with witness(server.port, room) as pair:
        for request, _ in REQUESTS.values():
            wire = await WireSocket.dial(server.port)
            wire.write(request[:50_000] + upgrade_request(f"/{room}"))
            wire.vanish()
    assert pair.changes > 0
