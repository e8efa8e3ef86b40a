"""What the storage of one instance is made of, and what it may do."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from ..core.errors import ObjectFrozen, RoomAborted, Unsupported
from ..core.values import Receipt
from .alarms import RoomAlarms
from .commits import CommitLane
from .expiry import RowExpiry
from .reading import RowReader
from .sections import Sections


class StorageHost(Protocol):
    """What the storage asks of its room."""

    async def commit_point(self) -> Receipt:
        """End the running unit here and wait until it is confirmed."""
        ...

    def wrote(self) -> None:
        """Note that the running unit has writes."""
        ...

    async def wait_for_room(self) -> None:
        """Wait until the buffer of finished units is below its bound."""
        ...


class Use(Enum):
    """What an instance may do with its storage."""

    ALL = auto()
    READING = auto()  # durability none: there is never anything to find
    FROZEN = auto()  # the object takes no changes
    NOTHING = auto()  # the instance is over; another one may have taken its place


_ALL: Final = Use.ALL
_NOTHING: Final = Use.NOTHING


@dataclass(slots=True, kw_only=True)
class StorageParts:
    """What the storage of one instance is made of, its transactions' included.

    Attributes:
        host: The running unit.
        lane: Has the buffer that is written to.
        reader: What is read.
        alarms: The object's alarms.
        expiry: Sees to the removal of rows that expire.
        sections: What a transaction is one of, and the room's gate.
        unit_bytes: The most one event may write between commit points.
        use: What may be done; it ends with the instance.
    """

    host: StorageHost
    lane: CommitLane
    reader: RowReader
    alarms: RoomAlarms
    expiry: RowExpiry
    sections: Sections
    unit_bytes: int
    use: Use = Use.ALL


class CheckedStorage:
    """Storage that tests before each call whether the instance may make it."""

    def __init__(self, parts: StorageParts) -> None:
        self._parts = parts
        self._host = parts.host

    def _check_storing(self) -> None:
        if self._parts.use is not _ALL:
            self._check_alive()
            if self._parts.use is Use.FROZEN:
                raise ObjectFrozen
            raise Unsupported(
                "this namespace has durability=none and stores nothing",
                remedy="Mount the class with durability=commit or relaxed.",
            )

    def _check_alive(self) -> None:
        if self._parts.use is _NOTHING:
            raise RoomAborted("this instance of the object is over")
