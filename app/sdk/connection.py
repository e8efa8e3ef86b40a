"""A client's socket, as its object sees it."""

from typing import Protocol


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
    def tags(self) -> frozenset[str]:
        """The tags the connection carries."""
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
    def open(self) -> bool:
        """Whether a send could still reach the client."""
        ...

    @property
    def buffered_bytes(self) -> int:
        """How much is sent and not yet taken by the client's machine."""
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

    def send(self, message: str | bytes) -> None:
        """Send a message: text for `str`, binary for `bytes`.

        It is part of the running event's unit: it leaves after the event ended well and every
        write it could reveal is committed, in the order of all sends of the object; it is
        dropped when the event raises. Sending to a closed connection does nothing.
        """
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, ordered among the sends as `send` is.

        Raises:
            ValueError: The code is not 1000 or 1001 to 4999 without 1004, 1005, 1006 and 1015,
                or the reason is over 123 bytes.
        """
        ...
