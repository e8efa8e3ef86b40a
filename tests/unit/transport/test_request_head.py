"""The request of a handshake: what it asks for, and what is none."""

import pytest

from app.transport.request_head import NoHandshake, read_head
from tests.integration.web.wire_socket import upgrade_request

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def request(
    line: bytes = b"GET /room HTTP/1.1", drop: str = "", **changed: str | list[str]
) -> bytes:
    """A right request with some headers changed; names with `_` for `-`."""
    headers: dict[str, str | list[str]] = {
        "host": "h",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": KEY,
    }
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    headers.pop(drop, None)
    lines = [
        f"{name}: {each}".encode("latin-1")
        for name, value in headers.items()
        for each in ([value] if isinstance(value, str) else value)
    ]
    return b"\r\n".join([line, *lines, b"", b""])


def test_a_request_is_read_into_what_it_asks_for() -> None:
    head = read_head(
        request(
            b"GET /a%2Fb/c?x=1?y&z HTTP/1.1",
            cookie=["one", "two"],
            sec_websocket_protocol=["tinybase, ", ",other"],
            x="caf\xe9",
        ),
        "10.0.0.9",
    )
    handshake = head.handshake
    assert head.accept_key == ACCEPT
    assert handshake.path == b"/a%2Fb/c"
    assert handshake.query == "x=1?y&z"
    assert handshake.client == "10.0.0.9"
    assert handshake.subprotocols == ("tinybase", "other")
    assert handshake.headers["cookie"] == "one, two"
    assert handshake.headers["x"] == "caf\xe9"


def test_a_browsers_connection_header_and_a_plain_request_are_right() -> None:
    assert read_head(request(connection="keep-alive, Upgrade", upgrade="WebSocket"), "")
    assert read_head(upgrade_request("/"), "").handshake.path == b"/"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(b"POST /room HTTP/1.1"), 405),
        (request(b"GET http://evil/x HTTP/1.1"), 400),
        (request(b"GET * HTTP/1.1"), 400),
        (request(b"GET /\xff HTTP/1.1"), 400),
        (request(b"GET  HTTP/1.1"), 400),
        (request(b"GET"), 400),
        (request(b"GET /" + b"p" * 8_190 + b" HTTP/1.1"), 414),
        (request(x="x" * 8_190), 431),
        (request(x=["x"] * 128), 431),
        (request(content_length="0"), 400),
        (request(transfer_encoding="chunked"), 400),
        (request(drop="upgrade"), 426),
        (request(upgrade="h2c"), 426),
        (request(upgrade=["websocket", "h2c"]), 426),
        (request(drop="connection"), 426),
        (request(connection="keep-alive"), 426),
        (request(drop="sec-websocket-version"), 426),
        (request(sec_websocket_version="8"), 426),
        (request(sec_websocket_version=["13", "8"]), 426),
        (request(drop="sec-websocket-key"), 400),
        (request(sec_websocket_key="AA=="), 400),
        (request(sec_websocket_key=[KEY, KEY]), 400),
        (request(sec_websocket_key="\xe9" * 24), 400),
        (request(sec_websocket_key="*" * 24), 400),
        (request(sec_websocket_protocol="bad name"), 400),
        (request(sec_websocket_protocol=",,"), 400),
        (request().replace(b"host: h", b" folded"), 400),
        (request().replace(b"host: h", b"no colon"), 400),
        (request().replace(b"host: h", b"na me: h"), 400),
        (b"", 400),
    ],
)
def test_what_is_no_handshake_is_answered_with_its_status(data: bytes, status: int) -> None:
    with pytest.raises(NoHandshake) as told:
        read_head(data, "")
    assert told.value.refusal.status == status
    assert told.value.refusal.body.endswith(b".\n")


def test_the_answer_to_another_version_names_ours() -> None:
    with pytest.raises(NoHandshake) as told:
        read_head(request(sec_websocket_version="8"), "")
    assert (b"sec-websocket-version", b"13") in told.value.refusal.headers
