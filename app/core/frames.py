"""Server-side WebSocket frames and outgoing messages (RFC 6455, section 5.2).

A broadcast is encoded once and the same bytes serve every recipient; that is most of what makes
a crowded room cheap. Where messages differ only a little, `TextParts` keeps what they share apart.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

_TEXT = 0x81
_BINARY = 0x82
_SHORT = 126
_MEDIUM = 1 << 16


def encode_frame(payload: bytes, *, text: bool) -> bytes:
    """Return one unmasked, unfragmented data frame."""
    return _header(len(payload), text=text) + payload


def _header(size: int, *, text: bool) -> bytes:
    opcode = _TEXT if text else _BINARY
    if size < _SHORT:
        return bytes((opcode, size))
    if size < _MEDIUM:
        return bytes((opcode, 126, size >> 8, size & 255))
    return bytes((opcode, 127)) + size.to_bytes(8, "big")


def _copy(message: object) -> bytes:
    """What is no `bytes` may be changed by whoever sends it."""
    if isinstance(message, bytearray | memoryview):
        return bytes(message)
    raise TypeError(f"a message is text or bytes, not {type(message).__name__}")


class TextParts:
    """A large text message in parts, which are sent without being copied together.

    What many messages have in common is made once and held once, however many are under way; each
    has parts of its own beside that.

    Args:
        parts: UTF-8; code points may be cut. They must not be empty all together.

    Attributes:
        size_bytes: Of the whole message.
    """

    __slots__ = ("parts", "size_bytes")

    def __init__(self, parts: Iterable[bytes]) -> None:
        self.parts: Final = tuple(parts)
        self.size_bytes: Final = sum(map(len, self.parts))


class OutgoingMessage:
    """One message on its way to any number of sockets.

    Attributes:
        size: How many bytes the payload has.
        text: Whether it is a text message.
        in_parts: Whether `frame_parts` spares the copying that `payload` and `frame` take.
    """

    __slots__ = ("_frame", "_payload", "_wrapped", "in_parts", "size", "text")

    def __init__(self, message: str | bytes) -> None:
        if isinstance(message, str):
            payload = message.encode("utf-8", "surrogatepass")
            self.text = True
        else:
            payload = message if type(message) is bytes else _copy(message)
            self.text = False
        self._payload = payload
        self.size = len(payload)
        self.in_parts = False
        self._frame: bytes | None = None
        self._wrapped: dict[str, OutgoingMessage] | None = None

    @classmethod
    def from_utf8(cls, payload: bytes) -> "OutgoingMessage":
        """A text message whose UTF-8 bytes are at hand."""
        message = cls(payload)
        message.text = True
        return message

    @property
    def payload(self) -> bytes:
        """The bytes of the message; UTF-8 when it is text."""
        return self._payload

    @property
    def frame(self) -> bytes:
        """The message as one frame; encoded once."""
        frame = self._frame
        if frame is None:
            frame = self._frame = encode_frame(self._payload, text=self.text)
        return frame

    @property
    def frame_parts(self) -> Sequence[bytes]:
        """The frame in parts that follow one another."""
        return (self.frame,)

    def wrapped(self, channel: str, wrap: Callable[[str, bytes], bytes]) -> "OutgoingMessage":
        """The message as `channel` of a multiplexed socket carries it; wrapped once a channel."""
        if self._wrapped is None:
            self._wrapped = {}
        found = self._wrapped.get(channel)
        if found is None:
            found = OutgoingMessage.from_utf8(wrap(channel, self.payload))
            self._wrapped[channel] = found
        return found


class PartedMessage(OutgoingMessage):
    """A text message in parts."""

    __slots__ = ("_parts",)

    def __init__(self, message: TextParts) -> None:
        super().__init__(b"")
        self._parts = message.parts
        self.size = message.size_bytes
        self.text = self.in_parts = True

    @property
    def payload(self) -> bytes:
        """The whole message, copied together anew each time."""
        return b"".join(self._parts)

    @property
    def frame(self) -> bytes:
        """The whole frame, copied together anew each time."""
        return b"".join(self.frame_parts)

    @property
    def frame_parts(self) -> Sequence[bytes]:
        """See `OutgoingMessage.frame_parts`."""
        return (_header(self.size, text=True), *self._parts)


def outgoing(message: str | bytes | TextParts) -> OutgoingMessage:
    """Return the message that an author sends, on its way.

    Raises:
        TypeError: It is neither text nor bytes.
    """
    return PartedMessage(message) if type(message) is TextParts else OutgoingMessage(message)  # type: ignore[arg-type]  # the other types


def join_frames(messages: Sequence[OutgoingMessage]) -> bytes | None:
    """All of them as frames, one behind the other; None if one of them is better not copied."""
    if len(messages) == 1:
        return None if messages[0].in_parts else messages[0].frame
    frames: list[bytes] = []
    for message in messages:
        if message.in_parts:
            return None
        frames.append(message.frame)
    return b"".join(frames)


def size_of_all(messages: list[OutgoingMessage]) -> int:
    """Bytes of their payloads."""
    size = 0
    for message in messages:
        size += message.size
    return size
