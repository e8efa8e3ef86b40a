"""Frames of the plain mode: `address LF remainder` (section 3) and the first gate (section 6).

A frame is a message, a fragment of one, or a reason to close the socket. The remainder is kept
as it came, because what is relayed must stay byte for byte the same.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..sdk.json import UNDEFINED, JsonError, dump_json, parse_json, parse_json_in_parts
from .bodies import CONTENT_DIFF, check_body, check_changes
from .refusals import OVERFLOW_FRAGMENTS, OVERFLOW_SOCKET, Malformed, Overflow

FRAME_BYTES: Final = 16_777_216
"""The largest frame that is taken, in UTF-8."""

FRAGMENTS_PER_MESSAGE: Final = 1000
EVERYBODY: Final = ""
SERVER: Final = "S"
"""The address of the server's replica."""

_UTF8_MAX = 4
_LARGE_CHARS: Final = 1 << 17
_SAFE_CHARS = FRAME_BYTES // _UTF8_MAX
_COUNT_DIGITS = len(str(FRAGMENTS_PER_MESSAGE))
_ELEMENTS = 3
_FRAGMENT = re.compile(r"([-0-9A-Z_a-z]{16})\n([0-9]+)\n([0-9]+)\n")


class Message(NamedTuple):
    """A valid message; a tuple, because one is made for every frame.

    Attributes:
        address: The recipient: empty for everybody, `S` for the replica, or a client's id.
        request_id: Opaque; None is legal.
        kind: The message type, 0 to 7.
        body: Parsed; U+FFFC stands for undefined.
        newest: The greatest HLC in the body of a ContentDiff, else the empty text.
        remainder: What followed the address, as it came.
    """

    address: str
    request_id: str | None
    kind: int
    body: Any
    newest: str
    remainder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One piece of a message (section 8).

    Attributes:
        address: The recipient.
        message_id: 16 characters, the same in all pieces of one message.
        index: Which piece, from 0.
        total: How many pieces, 1 to 1,000.
        piece: The text of this piece.
        remainder: What followed the address, as it came.
    """

    address: str
    message_id: str
    index: int
    total: int
    piece: str
    remainder: str


def parse_frame(text: str) -> Message | Fragment:
    """Return what a frame of the plain mode holds.

    Raises:
        Malformed: It is neither a valid message nor a fragment.
        Overflow: The frame is too large, or a fragment is of too many.
    """
    if len(text) > _SAFE_CHARS and utf8_size(text) > FRAME_BYTES:
        raise _oversized(text)
    address, separator, remainder = text.partition("\n")
    if not separator:
        raise Malformed
    try:
        elements = _parse(remainder)
    except JsonError:
        return _fragment(address, remainder)
    return _message(address, remainder, elements)


def parse_message(address: str, remainder: str) -> Message:
    """Return the message of a remainder that was joined from fragments.

    Raises:
        Malformed: It is not a valid message.
    """
    try:
        elements = _parse(remainder)
    except JsonError:
        raise Malformed from None
    return _message(address, remainder, elements)


def fragment_of(payload: str) -> Fragment | None:
    """Return the fragment in a payload, or None when it is no fragment.

    Raises:
        Malformed, Overflow: As `parse_frame`, on account of its numbers.
    """
    address, _, remainder = payload.partition("\n")
    match = _FRAGMENT.match(remainder)
    return None if match is None else _numbered(address, remainder, match)


def message_remainder(request_id: str | None, kind: int, body: bytes) -> str:
    """Return the remainder of a message whose body is JSON text already."""
    return (b"[%b,%d,%b]" % (dump_json(request_id), kind, body)).decode()


def utf8_size(text: str) -> int:
    """The bytes of a text in UTF-8, an unpaired surrogate counting 3."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _parse(remainder: str) -> Any:
    """The JSON of a remainder; a large one is parsed beside the event loop, and in parts."""
    if len(remainder) > _LARGE_CHARS:
        return parse_json_in_parts(remainder)
    return parse_json(remainder)


def _message(address: str, remainder: str, elements: Any) -> Message:
    if type(elements) is not list or len(elements) != _ELEMENTS:
        raise Malformed
    request_id, kind, body = elements
    if request_id is not None and (type(request_id) is not str or request_id == UNDEFINED):
        raise Malformed
    if type(kind) is not int:
        if type(kind) is not float or not kind.is_integer():
            raise Malformed
        kind = int(kind)
    newest = check_changes(body) if kind == CONTENT_DIFF else check_body(kind, body)
    return Message(address, request_id, kind, body, newest, remainder)


def _fragment(address: str, remainder: str) -> Fragment:
    match = _FRAGMENT.match(remainder)
    if match is None:
        raise Malformed
    return _numbered(address, remainder, match)


def _numbered(address: str, remainder: str, match: re.Match[str]) -> Fragment:
    total = _count(match[3])
    if total > FRAGMENTS_PER_MESSAGE:
        raise Overflow(OVERFLOW_FRAGMENTS)
    index = _count(match[2])
    if index >= total:
        raise Malformed
    return Fragment(
        address=address,
        message_id=match[1],
        index=index,
        total=total,
        piece=remainder[match.end() :],
        remainder=remainder,
    )


def _count(digits: str) -> int:
    """The number; of a very long one, some number over every limit."""
    significant = digits.lstrip("0")
    return int(significant[: _COUNT_DIGITS + 1] or "0")


def _oversized(text: str) -> Overflow:
    _, _, remainder = text.partition("\n")
    return Overflow(OVERFLOW_FRAGMENTS if _FRAGMENT.match(remainder) else OVERFLOW_SOCKET)
