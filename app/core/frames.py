"""Server-side WebSocket frames and outgoing messages (RFC 6455, section 5.2).

A broadcast is encoded once and the same bytes serve every recipient; that is most of what makes
a crowded room cheap.
"""

from collections.abc import Callable

_TEXT = 0x81
_BINARY = 0x82
_SHORT = 126
_MEDIUM = 1 << 16


def encode_frame(payload: bytes, *, text: bool) -> bytes:
    """Return one unmasked, unfragmented data frame."""
    opcode = _TEXT if text else _BINARY
    size = len(payload)
    if size < _SHORT:
        return bytes((opcode, size)) + payload
    if size < _MEDIUM:
        return bytes((opcode, 126, size >> 8, size & 255)) + payload
    return bytes((opcode, 127)) + size.to_bytes(8, "big") + payload


def _copy(message: object) -> bytes:
    """What is no `bytes` may be changed by whoever sends it."""
    if isinstance(message, bytearray | memoryview):
        return bytes(message)
    raise TypeError(f"a message is text or bytes, not {type(message).__name__}")


class OutgoingMessage:
    """One message on its way to any number of sockets.

    Attributes:
        payload: The bytes of the message; UTF-8 when it is text.
        text: Whether it is a text message.
    """

    __slots__ = ("_frame", "_wrapped", "payload", "text")

    def __init__(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.payload = message.encode("utf-8", "surrogatepass")
            self.text = True
        else:
            self.payload = message if type(message) is bytes else _copy(message)
            self.text = False
        self._frame: bytes | None = None
        self._wrapped: dict[str, OutgoingMessage] | None = None

    @classmethod
    def from_utf8(cls, payload: bytes) -> "OutgoingMessage":
        """A text message whose UTF-8 bytes are at hand."""
        message = cls(payload)
        message.text = True
        return message

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return len(self.payload)

    @property
    def frame(self) -> bytes:
        """The message as one frame; encoded once."""
        frame = self._frame
        if frame is None:
            frame = self._frame = encode_frame(self.payload, text=self.text)
        return frame

    def wrapped(self, channel: str, wrap: Callable[[str, bytes], bytes]) -> "OutgoingMessage":
        """The message as `channel` of a multiplexed socket carries it; wrapped once a channel."""
        if self._wrapped is None:
            self._wrapped = {}
        found = self._wrapped.get(channel)
        if found is None:
            found = OutgoingMessage.from_utf8(wrap(channel, self.payload))
            self._wrapped[channel] = found
        return found
