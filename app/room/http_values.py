"""Whether the requests and responses that authors make are what they say they are.

What is written into a frame, or handed to a web server, long after the author's code has run, has
to be right before: a fault found then would be nobody's any more.
"""

from collections.abc import Mapping
from typing import Any

from ..sdk.messages import Request, Response


def problem_of_request(request: Request) -> str | None:
    """What is wrong with a request that is to be sent to another object."""
    texts = (request.method, request.path, request.query, request.client, *request.subprotocols)
    if not all(_is_text(text) for text in texts):
        return "the method, path, query, client and subprotocols of a request are text"
    if not _are_headers(request.headers):
        return "the headers of a request map text to text"
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
    if not isinstance(body, bytes) and not _is_text(body):
        raise TypeError(f"the body of a response is bytes or text, not {type(body).__name__}")
    if not isinstance(status, int) or not _are_headers(response.headers):
        raise TypeError("the status of a response is a number, and its headers map text to text")
    if media_type is not None and not _is_text(media_type):
        raise TypeError("the media type of a response is text")
    return response


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
