"""The sockets of an object: seen, sent to and ended, wherever the object lives.

Nothing here wakes an object: one that sleeps keeps its sockets, and one that is nowhere has none.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from ...cluster.steering import Steering
from ...core.admin_errors import ConnectionUnknown, FieldFault, FieldsInvalid
from ...core.errors import ObjectUnknown, StorageRefused
from .known_objects import OBJECT, KnownObjects
from .models import Asked, Instant, Page, PageQuery, Told, instant_of_ms
from .operation import AdminCall, Operation, Role
from .paging import Keyset

_CONNECTIONS: Final = f"{OBJECT}/connections"
_TAG: Final = "connections"
_KICKED: Final = 1008
_SEND_BYTES: Final = 4 << 20


class ConnectionsQuery(PageQuery):
    """Which sockets."""

    tag: str | None = None
    """Only those that carry it."""


class ConnectionTold(Told):
    """One socket."""

    id: str
    """What it is called."""
    tags: list[str]
    """What its object has tagged it with."""
    path: str
    """Where its request went, without the query: that may hold secrets."""
    client: str
    """The address that it came from."""
    joined_at: Instant
    """When it came to the object, or was brought back to it."""
    open: bool
    """Whether it can be sent to; False while it is being closed."""
    buffered_bytes: int
    """What was sent and its client has not yet taken."""


class ConnectionPage(Page[ConnectionTold]):
    """Sockets in the order in which they came."""

    live: bool
    """Whether the object is in some worker's memory; if not, it has no sockets."""
    hibernated: bool
    """Whether it is live without an instance: it sleeps, and its sockets are kept."""


class Recipients(Asked):
    """Which sockets are meant: one, those with a tag, or all."""

    id: str | None = None
    """The one that is called so."""
    tag: str | None = None
    """All that carry it."""
    all: bool = False
    """All of them."""

    @model_validator(mode="after")
    def _one_is_said(self) -> Self:
        if (self.id is not None) + (self.tag is not None) + self.all != 1:
            raise ValueError("exactly one of id, tag and all says which sockets are meant")
        return self


class MessageToSend(Recipients):
    """A message."""

    text: str | None = None
    """A text message."""
    base64: str | None = None
    """A binary message, as base64."""

    @model_validator(mode="after")
    def _there_is_a_message(self) -> Self:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("exactly one of text and base64 is the message")
        return self


class Kick(Recipients):
    """How sockets are ended."""

    code: Annotated[int, Field(ge=1000, le=4999)] = _KICKED
    """The code of the close frame; 3000 to 4999 are free for applications."""
    reason: str = ""
    """Its reason, at most 123 bytes."""


class Counted(Told):
    """What came of it."""

    count: int
    """How many sockets."""


class ConnectionOperations:
    """See the module.

    Args:
        objects: Which objects there are.
        steering: The way to their owners.
    """

    def __init__(self, objects: KnownObjects, steering: Steering) -> None:
        self._objects = objects
        self._steering = steering
        self._order = Keyset("list_connections", int)

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [
            Operation(
                name="list_connections",
                method="GET",
                path=_CONNECTIONS,
                role=Role.VIEWER,
                tag=_TAG,
                summary="List the sockets of an object",
                handle=self._list,
                query=ConnectionsQuery,
                answer=ConnectionPage,
                errors=(ObjectUnknown,),
            ),
            self._sending(),
            Operation(
                name="kick_connections",
                method="POST",
                path=f"{_CONNECTIONS}/kick",
                role=Role.OPERATOR,
                tag=_TAG,
                summary="End sockets of an object",
                handle=self._kick,
                body=Kick,
                answer=Counted,
                errors=(ObjectUnknown, ConnectionUnknown, StorageRefused),
                description="Nothing keeps their clients from coming back.",
            ),
        ]

    def _sending(self) -> Operation:
        return Operation(
            name="send_to_connections",
            method="POST",
            path=f"{_CONNECTIONS}/send",
            role=Role.OPERATOR,
            tag=_TAG,
            summary="Send a message to sockets of an object",
            handle=self._send,
            body=MessageToSend,
            body_bytes=_SEND_BYTES,
            answer=Counted,
            errors=(ObjectUnknown, ConnectionUnknown),
            description="It leaves in a row with what the object says itself.",
        )

    async def _list(self, call: AdminCall) -> ConnectionPage:
        query: ConnectionsQuery = call.query
        object_id = self._objects.named(call)
        asked = self._order.slice(query)
        after = 0 if asked.after is None else asked.after[0]
        meta = {"tag": query.tag, "after": after, "limit": asked.limit}
        found = await self._steering.look(object_id, "connections", meta)
        if found is None:
            await self._objects.check(object_id)
            return ConnectionPage(items=[], live=False, hibernated=False)
        told, _ = found
        rows, cursor = self._order.page(query, told["connections"], lambda row: (row["serial"],))
        return ConnectionPage(
            items=[
                ConnectionTold(
                    **{name: row[name] for name in ConnectionTold.model_fields if name in row},
                    joined_at=instant_of_ms(row["joined_ms"]),
                )
                for row in rows
            ],
            next_cursor=cursor,
            live=True,
            hibernated=told["hibernated"],
        )

    async def _send(self, call: AdminCall) -> Counted:
        body: MessageToSend = call.body
        return await self._do(call, "connections_send", _message(body), text=body.text is not None)

    async def _kick(self, call: AdminCall) -> Counted:
        body: Kick = call.body
        return await self._do(call, "connections_kick", b"", code=body.code, reason=body.reason)

    async def _do(self, call: AdminCall, what: str, message: bytes, **meta: object) -> Counted:
        """Do something to the sockets that are meant; without a live object there are none."""
        recipients: Recipients = call.body
        object_id = self._objects.named(call)
        whom = {"id": recipients.id, "tag": recipients.tag}
        found = await self._steering.look(object_id, what, whom | meta, message)
        if found is not None:
            return Counted(count=found[0]["count"])
        await self._objects.check(object_id)
        if recipients.id is not None:
            raise ConnectionUnknown
        return Counted(count=0)


def _message(body: MessageToSend) -> bytes:
    if body.base64 is None:
        return (body.text or "").encode()
    try:
        return b64decode(body.base64, validate=True)
    except (NotBase64, ValueError):
        fault = FieldFault(pointer="#/base64", detail="is not base64")
        raise FieldsInvalid([fault]) from None
