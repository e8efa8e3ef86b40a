"""A client's socket, as its object sees it."""

from typing import Protocol

from ..core.frames import TextParts
from ..core.grants import ClientRole, Grant


class Connection(Protocol):
    """One accepted WebSocket (or one channel of a multiplexed one).

    It outlives the instance: a hibernated object finds the same connections, with their tags and
    attachments, when it wakes. Two references to one connection are the same object.
    """

    @property
    def id(self) -> str:
        """Unique among the object's connections; safe to show to other clients."""
        ...

    @property
    def grant(self) -> Grant:
        """What the client was let in for; a fresh one after its credential was renewed."""
        ...

    @property
    def role(self) -> ClientRole:
        """What the client may do in this object: `read`, `write` or `admin`.

        Everybody has `write` where rooms are open. It is kept with the connection, also while the
        object sleeps and when another worker holds the socket.
        """
        ...

    @property
    def tags(self) -> frozenset[str]:
        """The tags the connection carries.

        They and the attachment belong to the running event: when it raises, they are again what
        they were. A connection has lost them when its `on_close` is over.
        """
        ...

    @property
    def attachment(self) -> object:
        """What was attached last, or None. Setting it stores a copy of at most 16,384 bytes.

        Raises (on setting):
            StorageRefused: The value is too large or not of a storable type.
        """
        ...

    @attachment.setter
    def attachment(self, value: object) -> None: ...

    @property
    def auto_responded_at(self) -> int | None:
        """When `Context.set_auto_response` last answered this client, in milliseconds since 1970.

        None before the first time. It is kept while the object sleeps, and when the pair is unset.
        """
        ...

    @property
    def open(self) -> bool:
        """Whether a send could still reach the client."""
        ...

    @property
    def buffered_bytes(self) -> int:
        """How much is sent and not yet taken by the client's machine.

        What waits for a commit counts whole, whoever it is for; the running event's sends do not.
        """
        ...

    def tag(self, *tags: str) -> None:
        """Add tags: at most 10 on a connection, of at most 256 characters each.

        Raises:
            ValueError: More or longer tags than that.
        """
        ...

    def untag(self, *tags: str) -> None:
        """Take tags away; unknown ones are ignored."""
        ...

    def send(self, message: str | bytes | TextParts) -> None:
        """Send a message: text for `str` and `TextParts`, binary for `bytes`.

        It is part of the running event's unit: it leaves after the event ended well and every
        write it could reveal is committed, in the order of all sends of the object; it is
        dropped when the event raises. Sending to a client that is gone does nothing.

        Raises:
            ConnectionClosed: The object itself has closed the connection.
            TypeError: The message is neither text nor bytes.
        """
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, ordered among the sends as `send` is.

        A connection that is closed already, by whichever side, is left as it is.

        Raises:
            ValueError: The code may not stand in a close frame (1000 to 1003, 1007 to 1014 and
                3000 to 4999 may), or the reason is over 123 bytes.
        """
        ...
