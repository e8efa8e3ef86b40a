"""Whether the requests and responses that authors make are what they say they are.

What is written into a frame, or handed to a web server, long after the author's code has run, has
to be right before: a fault found then would be nobody's any more.
"""

import re
from collections.abc import AsyncIterable, Mapping, Sequence
from typing import Any, Final

from ..sdk.messages import Request, Response

_LOWEST_STATUS: Final = 200
_HIGHEST_STATUS: Final = 599
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""What HTTP/1.1 can carry: no end of line, which would begin another header, and Latin-1."""
_SHOWN: Final = 100
_LENGTH_DIGITS: Final = 18
BODILESS: Final = frozenset({204, 304})
"""Statuses whose answers have no body."""


def problem_of_request(request: Request) -> str | None:
    """What is wrong with a request that is to be sent to another object."""
    texts = (request.method, request.path, request.query, request.client, *request.subprotocols)
    if not all(_is_text(text) for text in texts):
        return "the method, path, query, client and subprotocols of a request are text"
    if not _are_headers(request.headers):
        return "the headers of a request map text to text"
    if request.pieces is not None:
        return "a request whose body is a stream cannot be sent on: read the body first"
    body: Any = request.body
    return None if isinstance(body, bytes) else "the body of a request is bytes"


def checked_response(response: Any, *, bodiless: bool = False) -> Response:
    """Return what `on_request` returned, if it is a response that a web server can send.

    Args:
        response: What was returned.
        bodiless: The request was a HEAD, so its `content-length` tells of a body that is not there.

    Raises:
        TypeError: It is not, or one of its parts is not what it should be.
        ValueError: One of its parts has no form in HTTP.
    """
    if not isinstance(response, Response):
        raise TypeError(f"on_request returned {type(response).__name__}, not a Response")
    body, media_type, status = response.body, response.media_type, _any(response.status)
    if not isinstance(body, bytes | AsyncIterable) and not _is_text(body):
        kind = type(body).__name__
        raise TypeError(f"the body of a response is bytes, text or an iterator of them, not {kind}")
    if not isinstance(status, int) or not _are_headers(response.headers):
        raise TypeError("the status of a response is a number, and its headers map text to text")
    if media_type is not None and not _is_text(media_type):
        raise TypeError("the media type of a response is text")
    if not _LOWEST_STATUS <= status <= _HIGHEST_STATUS:
        raise ValueError(f"the status of a response is from 200 to 599, not {int(status)}")
    if media_type is not None and not _HEADER_VALUE.fullmatch(media_type):
        raise ValueError("the media type of a response cannot be sent as a header")
    _check_cookies(_any(response.cookies))
    _check_headers(response.headers, None if bodiless or status in BODILESS else body)
    return response


def checked_piece(piece: Any) -> bytes:
    """Return what an iterator of a body gave, as bytes.

    Raises:
        TypeError: It is neither bytes nor text.
    """
    if isinstance(piece, bytes):
        return piece
    if _is_text(piece):
        return bytes(piece.encode())
    raise TypeError(f"a piece of a body is bytes or text, not {type(piece).__name__}")


def _check_headers(headers: Mapping[str, str], body: Any) -> None:
    """Whether they can be sent; how the body is framed is for the server to say.

    Args:
        headers: Text to text.
        body: What is sent; None when none is.

    Raises:
        ValueError: They cannot.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            # Not the value: it may be a secret, or a client's.
            raise ValueError(f"the header {name[:_SHOWN]!r} has characters that HTTP cannot carry")
        lower = name.lower()
        if lower == "transfer-encoding":
            raise ValueError("how a response is framed is up to the server: no transfer-encoding")
        if lower == "content-length":
            _check_length(value, body)


def _check_cookies(cookies: Any) -> None:
    if isinstance(cookies, str) or not isinstance(cookies, Sequence):
        raise TypeError("the cookies of a response are a list of texts")
    for cookie in cookies:
        if not _is_text(cookie):
            raise TypeError("a cookie of a response is text")
        if not cookie or not _HEADER_VALUE.fullmatch(cookie):
            raise ValueError("a cookie of a response cannot be sent as a header")


def _check_length(value: str, body: Any) -> None:
    """Of a stream the server cannot see whether the announced length is right, or a number."""
    if not (value.isascii() and value.isdecimal() and len(value) <= _LENGTH_DIGITS):
        raise ValueError("the content-length of a response is a number")
    if isinstance(body, bytes | str):
        length = len(body if isinstance(body, bytes) else body.encode())
        if int(value) != length:
            raise ValueError(f"the content-length says {int(value)}, and the body has {length}")


def _any(value: Any) -> Any:
    """The value without its type, which an author may have ignored."""
    return value


def _are_headers(headers: Any) -> bool:
    return isinstance(headers, Mapping) and all(
        _is_text(name) and _is_text(value) for name, value in headers.items()
    )


def _is_text(value: Any) -> bool:
    """Whether it is text that has a UTF-8 form."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
