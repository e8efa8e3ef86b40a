"""The sockets of one room. They outlive the instance: hibernation keeps them and drops it."""

from collections.abc import Callable, Collection, Iterator, Sequence
from enum import Enum, auto
from math import inf
from operator import index
from typing import Final, Protocol

from ..core.errors import ConnectionClosed, CredentialExpired, StorageRefused
from ..core.frames import OutgoingMessage, TextParts, outgoing
from ..core.grants import EVERYTHING, ClientRole, Grant
from ..core.limits import (
    ATTACHMENT_BYTES,
    CLOSE_REASON_BYTES,
    TAG_CHARACTERS,
    TAGS_PER_CONNECTION,
)
from ..core.sockets import SocketTransport
from ..core.storage_codec import decode_value, encode_value
from ..sdk.messages import Request

_CODES_OF_PROTOCOLS = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
_CODES_OF_AUTHORS = range(3000, 5000)
"""What may stand in a close frame (RFC 6455, section 7.4, and the registry of IANA): clients take
any other code for a broken frame."""

CREDENTIAL_OVER: Final = (4401, CredentialExpired.code)
"""What a client is told whose credential has ended."""

_NO_TAGS: Final[frozenset[str]] = frozenset()
"""One for all: an empty set of its own would be a good part of a connection."""


class ConnectionState(Enum):
    """OPEN, then CLOSING once a close was handed to the transport, then CLOSED."""

    OPEN = auto()
    CLOSING = auto()
    CLOSED = auto()


OPEN: Final = ConnectionState.OPEN
"""As a name of its own, for the hottest paths: a look-up in an enum costs as much as a call."""


class ConnectionHost(Protocol):
    """What a connection asks of its room."""

    @property
    def held_bytes(self) -> int:
        """What waits at the room's gate, for whomever."""
        ...

    def stage_send(self, connection: "RoomConnection", message: OutgoingMessage) -> None:
        """Make a send part of the running unit."""
        ...

    def stage_close(self, connection: "RoomConnection", code: int, reason: str) -> None:
        """Make a close part of the running unit."""
        ...

    def remember(self, what: object, put_back: Callable[[], None]) -> None:
        """Note how something was before the running unit changed it."""
        ...

    def take_message(self, connection: "RoomConnection", message: str | bytes) -> None:
        """A client's message has arrived."""
        ...

    def take_end(
        self, connection: "RoomConnection", code: int, reason: str, *, clean: bool
    ) -> None:
        """A client's socket is gone."""
        ...


class RoomConnection:
    """The sdk's `Connection` and the transport's `SocketSink`, both at once."""

    __slots__ = (
        "_attachment",
        "_closed_by_object",
        "_host",
        "auto_responded_at",
        "client",
        "deaf",
        "grant",
        "id",
        "joined_ms",
        "path",
        "role",
        "serial",
        "state",
        "tags",
        "transport",
    )

    def __init__(
        self, host: ConnectionHost, *, connection_id: str, serial: int, transport: SocketTransport
    ) -> None:
        self._host = host
        self.id = connection_id
        self.serial = serial
        self.transport = transport
        self.state = ConnectionState.OPEN
        self.deaf = False
        """Whether a close is staged: it waits for the gate, but nothing more is heard or said."""
        self.tags = _NO_TAGS
        self.auto_responded_at: int | None = None
        """See `sdk.Connection.auto_responded_at`."""
        self.path = ""
        """Where its request went, without the query: that may hold secrets."""
        self.client = ""
        """Who sent the request, by address."""
        self.joined_ms = 0
        """When it joined this room, milliseconds since 1970."""
        self.grant: Grant = EVERYTHING
        """See `sdk.Connection.grant`."""
        self.role: ClientRole = ClientRole.WRITE
        """See `sdk.Connection.role`."""
        self._attachment: bytes | None = None
        self._closed_by_object = False

    def came_by(self, request: Request, now_ms: int) -> None:
        """Note the request that it came by, for those who look."""
        self.path, self.client, self.joined_ms = request.path, request.client, now_ms
        self.grant, self.role = request.grant, request.role

    def __repr__(self) -> str:
        return f"<Connection {self.id} {self.state.name}>"

    @property
    def open(self) -> bool:
        """See `sdk.Connection.open`."""
        return self.state is OPEN and not self.deaf

    @property
    def buffered_bytes(self) -> int:
        """See `sdk.Connection.buffered_bytes`."""
        return self.transport.buffered_bytes + self._host.held_bytes

    @property
    def attachment(self) -> object:
        """See `sdk.Connection.attachment`."""
        return None if self._attachment is None else decode_value(self._attachment)

    @attachment.setter
    def attachment(self, value: object) -> None:
        stored = encode_value(value)
        if len(stored) > ATTACHMENT_BYTES:
            raise StorageRefused(
                f"the attachment has {len(stored)} bytes, the limit is {ATTACHMENT_BYTES}"
            )
        self._remember()
        self._attachment = stored

    def tag(self, *tags: str) -> None:
        """See `sdk.Connection.tag`."""
        wanted = self.tags.union(tags)
        if len(wanted) > TAGS_PER_CONNECTION:
            raise ValueError(f"a connection carries at most {TAGS_PER_CONNECTION} tags")
        if any(len(tag) > TAG_CHARACTERS for tag in wanted):
            raise ValueError(f"a tag has at most {TAG_CHARACTERS} characters")
        self._remember()
        self.tags = wanted

    def untag(self, *tags: str) -> None:
        """See `sdk.Connection.untag`."""
        self._remember()
        self.tags = self.tags.difference(tags)

    def _remember(self) -> None:
        """They belong to the unit: an event that raises leaves them as they were."""
        tags, attachment = self.tags, self._attachment

        def put_back() -> None:
            self.tags, self._attachment = tags, attachment

        self._host.remember(self, put_back)

    def send(self, message: str | bytes | TextParts) -> None:
        """See `sdk.Connection.send`."""
        if self.state is OPEN and not self.deaf:
            self._host.stage_send(self, outgoing(message))
        elif self._closed_by_object:
            raise ConnectionClosed

    def close(self, code: int = 1000, reason: str = "") -> None:
        """See `sdk.Connection.close`."""
        code = index(code)
        _check_close(code, reason)
        if self.open:
            self.deaf = self._closed_by_object = True
            self._host.stage_close(self, code, reason)

    def remove(self, code: int, reason: str) -> None:
        """Close it for an operator: as `close`, but the object may send on and is not blamed."""
        _check_close(code, reason)
        if self.open:
            self.deaf = True
            self._host.stage_close(self, code, reason)

    def reopen(self) -> None:
        """The unit that closed the connection is undone."""
        self.deaf = self._closed_by_object = False

    def forget(self) -> None:
        """The last event of the connection is over: nothing of it is kept."""
        self.tags, self._attachment = _NO_TAGS, None

    def receive(self, message: str | bytes) -> None:
        """See `core.sockets.SocketSink.receive`."""
        if self.state is OPEN:
            self._host.take_message(self, message)

    def ended(self, code: int, reason: str, *, clean: bool) -> None:
        """See `core.sockets.SocketSink.ended`."""
        if self.state is not ConnectionState.CLOSED:
            self.state = ConnectionState.CLOSED
            self._host.take_end(self, code, reason, clean=clean)

    def drop_unsent(self) -> None:
        """Drop a socket that still holds unsent bytes: they must not leave after the lease."""
        if self.state is not ConnectionState.CLOSED and self.transport.buffered_bytes:
            self.state = ConnectionState.CLOSING
            self.deaf = True
            self.transport.abort()

    def shut(self, code: int, reason: str) -> None:
        """Close now, outside any unit: the room itself turns the client away."""
        if self.state is OPEN:
            self.state = ConnectionState.CLOSING
            self.deaf = True
            self.transport.close(code, reason)
            self.transport.resume_reading()  # or a stopped socket would not see the client's answer

    def let_go(self, code: int, reason: str) -> None:
        """The room goes away: close, unless the transport can come back to the next one."""
        if self.state is OPEN:
            self.state = ConnectionState.CLOSING
            self.deaf = True
            self.transport.let_go(code, reason)
            self.transport.resume_reading()

    def deliver(
        self, messages: Sequence[OutgoingMessage], *, limit_bytes: int, overflow_reason: str
    ) -> int | None:
        """Hand messages that may leave to the transport; one that reads too slowly is closed.

        Returns how large they are, None if they did not leave.
        (architecture, section 9 a: a peer past its byte bound is closed with 1013)
        """
        if self.state is not OPEN:
            return None
        transport = self.transport
        size = 0
        for message in messages:
            size += message.size
        if transport.buffered_bytes + size > limit_bytes:
            self.shut(1013, overflow_reason)
            return None
        transport.send(messages)
        return size


def _check_close(code: int, reason: str) -> None:
    """Raise ValueError for what cannot stand in a close frame."""
    if code not in _CODES_OF_PROTOCOLS and code not in _CODES_OF_AUTHORS:
        raise ValueError(f"a socket cannot be closed with code {code}")
    if len(reason.encode()) > CLOSE_REASON_BYTES:
        raise ValueError(f"a close reason has at most {CLOSE_REASON_BYTES} bytes")


class ConnectionSet:
    """The connections of a room in the order they joined."""

    __slots__ = ("_members", "lapses_at", "latest_serial")

    def __init__(self) -> None:
        self._members: dict[int, RoomConnection] = {}
        self.latest_serial = 0
        """The number of the newest member; a broadcast reaches members up to it."""
        self.lapses_at = inf
        """When a member's credential ends, the first of all, in seconds since 1970. A member that
        has left may still be meant: then a look finds nothing."""

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, member: object) -> bool:
        return isinstance(member, RoomConnection) and member.serial in self._members

    def __iter__(self) -> Iterator[RoomConnection]:
        return iter(self._members.values())

    def has_others(self, than: RoomConnection | None) -> bool:
        """Whether there is any member but this one."""
        count = len(self._members)
        if count > 1 or than is None:
            return count > 0
        return count > 0 and than.serial not in self._members

    def next_serial(self) -> int:
        """The number for the next member."""
        self.latest_serial += 1
        return self.latest_serial

    def add(self, connection: RoomConnection) -> None:
        """Take a member in."""
        self._members[connection.serial] = connection
        ends = connection.grant.expires_at
        if ends is not None and ends < self.lapses_at:
            self.lapses_at = ends

    def end_lapsed(self, now: float) -> None:
        """Close the members whose credential is over."""
        self.lapses_at = inf
        for member in list(self._members.values()):
            ends = member.grant.expires_at
            if ends is None:
                continue
            if ends <= now:
                member.shut(*CREDENTIAL_OVER)
            elif ends < self.lapses_at:
                self.lapses_at = ends

    def remove(self, connection: RoomConnection) -> None:
        """Let a member go; unknown ones are ignored."""
        self._members.pop(connection.serial, None)

    def select(
        self, tag: str | None, all_of: Collection[str], any_of: Collection[str]
    ) -> list[RoomConnection]:
        """The open members with these tags."""
        wanted = frozenset(all_of if tag is None else (*all_of, tag))
        either = frozenset(any_of)
        return [
            member
            for member in self._members.values()
            if member.open
            and wanted <= member.tags
            and (not either or not either.isdisjoint(member.tags))
        ]
