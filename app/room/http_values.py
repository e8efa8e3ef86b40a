"""Whether the requests and responses that authors make are what they say they are.

What is written into a frame, or handed to a web server, long after the author's code has run, has
to be right before: a fault found then would be nobody's any more.
"""

from collections.abc import AsyncIterable, Mapping
from typing import Any

from ..sdk.messages import Request, Response


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


def checked_response(response: Any) -> Response:
    """Return what `on_request` returned, if it is a response.

    Raises:
        TypeError: It is not, or one of its parts is not what it should be.
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
    if isinstance(body, AsyncIterable):
        _check_length(response.headers)
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


def _check_length(headers: Mapping[str, str]) -> None:
    """Of a stream the server cannot see whether the announced length is right, or a number."""
    for name, value in headers.items():
        if name.lower() == "content-length" and not (value.isascii() and value.isdecimal()):
            raise TypeError("the content-length of a response is a number")


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
