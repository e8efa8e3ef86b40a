"""What the doctor learns from one WebSocket: does it open, how large a frame passes, does it stay.

The frame is a question that a TinyBase room answers with the question's own id, so one of any
size makes an answer of the same size: both directions are tried, and nothing is stored. Then the
socket is left alone until the server's own ping comes: a proxy that cuts idle sockets sooner than
that would cut every quiet client.
"""

import ssl
from collections.abc import Iterator
from threading import Event
from time import perf_counter
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    WebSocketException,
)
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from .findings import Finding, bad, doubtful, good

ROOM: Final = "stateroom-doctor"
SECONDS: Final = 20.0
"""How long opening a socket or passing the large frame may take."""

_REFUSED: Final = {401: "a token is needed", 403: "the origin or token is refused"}
_UPGRADE_REMEDY: Final = (
    "Let the proxy speak HTTP/1.1 to the server and pass on Upgrade and Connection; see "
    "deploy/ for configurations that do."
)
_FRAME_REMEDY: Final = "Raise the message size limit of the proxy, or STATEROOM_MAX_FRAME_BYTES."
_IDLE_REMEDY: Final = (
    "Raise the proxy's idle timeout over STATEROOM_SOCKET_PING_SECONDS (20 s), or lower that."
)


def examine_socket(
    server: str, *, token: str = "", frame_bytes: int, patience_seconds: float
) -> Iterator[Finding]:
    """Open a WebSocket at the server and try it.

    Args:
        server: Its URL, as for HTTP.
        token: Of rooms, if they need one.
        frame_bytes: How large a frame to try.
        patience_seconds: How long to wait for the server's ping; 0 leaves that out.
    """
    subject = "upgrade"
    try:
        socket = _open(server, token)
        with socket:
            yield good(subject, "a WebSocket opens")
            yield _large_frame(socket, frame_bytes)
            if patience_seconds:
                yield _idle(socket, patience_seconds)
    except InvalidStatus as error:
        status = error.response.status_code
        if status in _REFUSED:
            yield doubtful(
                subject, f"{status}: {_REFUSED[status]}", "Set STATEROOM_ROOM_TOKEN for the doctor."
            )
        else:
            yield bad(subject, f"it is answered with {status}", _UPGRADE_REMEDY)
    except (OSError, InvalidHandshake, WebSocketException) as error:
        yield bad(subject, f"no WebSocket opens ({_told(error)})", _UPGRADE_REMEDY)


class _Listening(ClientConnection):
    """A connection that notes when it is pinged."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.pinged = Event()
        super().__init__(*arguments, **named)

    def process_event(self, event: Any) -> None:
        """See the parent."""
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pinged.set()
        super().process_event(event)


def _open(server: str, token: str) -> _Listening:
    parts = urlsplit(server)
    secure = parts.scheme == "https"
    query = f"token={quote(token, safe='')}" if token else ""
    url = urlunsplit(("wss" if secure else "ws", parts.netloc, f"/{ROOM}", query, ""))
    made = connect(
        url,
        create_connection=_Listening,
        ssl=ssl.create_default_context() if secure else None,
        open_timeout=SECONDS,
        close_timeout=2.0,
        ping_interval=None,
        max_size=None,
        proxy=None,
    )
    if not isinstance(made, _Listening):
        raise TypeError  # connect() makes what it was told to make
    return made


def _large_frame(socket: _Listening, size: int) -> Finding:
    subject, name = "message size", f"{size / (1 << 20):g} MiB"
    question = "d" * size
    started = perf_counter()
    try:
        socket.send(f'S\n["{question}",1,""]')
        while question not in str(socket.recv(timeout=SECONDS)):
            continue
    except TimeoutError:
        return bad(subject, f"a frame of {name} had no answer in {SECONDS:g} s", _FRAME_REMEDY)
    except ConnectionClosed as error:
        return bad(subject, f"a frame of {name} ended the socket ({_told(error)})", _FRAME_REMEDY)
    took = perf_counter() - started
    return good(subject, f"a frame of {name} passes in both directions ({took:.2f} s)")


def _idle(socket: _Listening, patience_seconds: float) -> Finding:
    subject = "idle timeout"
    socket.pinged.clear()
    started = perf_counter()
    while perf_counter() - started < patience_seconds:
        if socket.pinged.wait(0.2):
            waited = perf_counter() - started
            return good(subject, f"an idle socket stays until the server pings ({waited:.0f} s)")
        if socket.close_code is not None:
            waited = perf_counter() - started
            return bad(subject, f"an idle socket is cut after {waited:.0f} s", _IDLE_REMEDY)
    return doubtful(
        subject, f"no ping came in {patience_seconds:g} s", "Wait longer: --patience SECONDS."
    )


def _told(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
