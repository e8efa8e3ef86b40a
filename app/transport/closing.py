"""Close frames: what a client's says, and ours as bytes. Pure.

(RFC 6455, sections 5.5.1 and 7.4)
"""

from ..core.sockets import SocketEnd
from .pieces import MessageBroken

_CLOSE = 0x88
_CODE_BYTES = 2
_NO_STATUS = 1005
_PROTOCOL_ERROR = 1002
_NO_UTF8 = 1007
_SENDABLE = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
_OF_APPLICATIONS = range(3000, 5000)
GOING_AWAY = (1012, "")
SILENT = (1011, "keepalive ping timeout")
_BREACHES = {
    _PROTOCOL_ERROR: "protocol error",
    _NO_UTF8: "text that is not UTF-8",
    1009: "message too big",
}


def breach(code: int) -> SocketEnd:
    """The end of a socket whose client broke the protocol."""
    return SocketEnd(code, _BREACHES.get(code, ""), clean=False)


def close_frame(payload: bytes) -> bytes:
    """A close frame with this payload, of at most 125 bytes."""
    return bytes((_CLOSE, len(payload))) + payload


def close_payload(code: int, reason: str) -> bytes:
    """The payload that says code and reason."""
    return code.to_bytes(_CODE_BYTES, "big") + reason.encode()


def read_close(payload: bytes) -> SocketEnd:
    """How a client says that it ends the socket.

    Raises:
        MessageBroken: With a code that nobody may send, or a reason that is no text.
    """
    if not payload:
        return SocketEnd(_NO_STATUS, "", clean=True)
    code = int.from_bytes(payload[:_CODE_BYTES], "big")
    if len(payload) < _CODE_BYTES or not (code in _SENDABLE or code in _OF_APPLICATIONS):
        raise MessageBroken(_PROTOCOL_ERROR)
    try:
        return SocketEnd(code, payload[_CODE_BYTES:].decode(), clean=True)
    except UnicodeDecodeError:
        raise MessageBroken(_NO_UTF8) from None
