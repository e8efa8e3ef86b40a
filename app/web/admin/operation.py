"""What an operation of the admin plane is: declared once, and everything follows from it."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from ...core.admin import Caller, Role
from ...core.error_root import StateroomError

__all__ = ["BODY_BYTES", "AdminCall", "Answer", "Caller", "Operation", "Replied", "Role"]

BODY_BYTES: Final = 1 << 16
"""The largest JSON body, where an operation does not say otherwise."""

_PARAMETER: Final = re.compile(r"\{([a-z_]+)\}")
_READS: Final = "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminCall:
    """One request, checked: the caller may make it and its fields are valid.

    Attributes:
        caller: Who asks.
        request_id: Names this request in the log, the audit and the answer's headers.
        path: The parameters of the path, percent-decoded once.
        query: The operation's `query` model, or None.
        body: The operation's `body` model, or None.
        headers: The request's headers, lower case.
        stream: The pieces of the raw body, of operations that declare `takes`; to be read once.
            It raises BodyTooLarge, BodyTooSlow or BodyBroken.
    """

    caller: Caller
    request_id: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Any = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """An answer with a status or headers of its own.

    Attributes:
        answer: The answer itself.
        status: In place of the operation's.
        headers: Further headers.
    """

    answer: "BaseModel | bytes | AsyncIterator[bytes] | None" = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = BaseModel | bytes | AsyncIterator[bytes] | Replied | None
"""A model becomes JSON and None nothing (204). Bytes, whole or in pieces, are of the media type
that the operation `gives`. An iterator of pieces that raises before its first piece is answered
with a problem; later the answer is cut off, so that nobody takes it for whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One endpoint.

    Attributes:
        name: The operationId, in snake case: `list_objects`.
        method: GET, POST, PUT, PATCH or DELETE. HEAD comes with GET. Everything but GET is a
            change, and audited.
        path: Below `/admin/v1`: `/namespaces/{namespace}/objects/{object}`. A parameter is one
            whole segment. A fixed segment goes before a parameter at the same place.
        role: The least role that may call it.
        tag: Its group in the description.
        summary: One line for people, without a full stop.
        handle: Answers it.
        query: Its query parameters; derive it from `models.Asked`.
        body: Its JSON body; likewise.
        body_bytes: The largest JSON body that it reads.
        answer: Its JSON answer; derive it from `models.Told`.
        status: Of a good answer. Without `answer` and `gives` it is always 204.
        takes: The media type of a raw body; then there is no `body`.
        gives: The media type of a raw answer; then there is no `answer`.
        errors: What it may raise besides what every operation may.
        creates: Whether it takes an Idempotency-Key.
        description: More for people, in Markdown.
    """

    name: str
    method: str
    path: str
    role: Role
    tag: str
    summary: str
    handle: Callable[[AdminCall], Awaitable[Answer]]
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_bytes: int = BODY_BYTES
    answer: type[BaseModel] | None = None
    status: int = 200
    takes: str | None = None
    gives: str | None = None
    errors: tuple[type[StateroomError], ...] = ()
    creates: bool = False
    description: str = ""

    @property
    def changes(self) -> bool:
        """Whether it is more than a look."""
        return self.method != _READS

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the path's parameters, in order."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def good_status(self) -> int:
        """The status of a good answer."""
        return self.status if self.answer is not None or self.gives is not None else 204
