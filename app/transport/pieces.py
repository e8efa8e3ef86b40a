"""A message that comes in several frames (RFC 6455, section 5.4). Pure."""

_PROTOCOL_ERROR = 1002
_NO_UTF8 = 1007
_TOO_BIG = 1009
_MOST_PIECES = 1_000


class MessageBroken(Exception):
    """The client broke the protocol; `code` is what it is told."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Pieces:
    """The beginning of a message.

    Args:
        text: Whether it is a text message.
        limit_bytes: The largest message.
    """

    __slots__ = ("_limit", "_pieces", "_size", "_text")

    def __init__(self, *, text: bool, limit_bytes: int) -> None:
        self._text = text
        self._limit = limit_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            MessageBroken: It is too large by now, or in too many pieces.
        """
        self._size += len(piece)
        if self._size > self._limit or len(self._pieces) >= _MOST_PIECES:
            raise MessageBroken(_TOO_BIG)
        self._pieces.append(piece)

    def whole(self) -> str | bytes:
        """The message. Raises MessageBroken when it should be text and is not UTF-8."""
        data = b"".join(self._pieces)
        if not self._text:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise MessageBroken(_NO_UTF8) from None
