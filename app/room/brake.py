"""The brake: a full room asks its sockets to stop reading, and lets them go on when it has room.

Full means that too many events wait, or that too much is written and not yet committed.
"""

from .commits import CommitLane
from .connections import RoomConnection
from .mailbox import Mailbox
from .unit import RunningUnit


class ReadingBrake:
    """Who has been asked to stop.

    Args:
        lane: Knows what is not committed.
        mailbox: Knows what waits.
        unit: Its writers wait for room as well.
    """

    __slots__ = ("_lane", "_mailbox", "_stopped", "_unit")

    def __init__(self, lane: CommitLane, mailbox: Mailbox, unit: RunningUnit) -> None:
        self._lane = lane
        self._mailbox = mailbox
        self._unit = unit
        lane.progress = self.relieve
        self._stopped: dict[RoomConnection, None] = {}

    def __bool__(self) -> bool:
        """Whether any socket has been asked to stop."""
        return bool(self._stopped)

    def test(self, connection: RoomConnection) -> None:
        """Stop the reading of a socket whose message had to be queued in a full room."""
        if connection.open and (self._mailbox.over_high_water or self._lane.congested):
            self._stopped[connection] = None
            connection.transport.pause_reading()

    def stopped(self, connection: RoomConnection) -> bool:
        """Whether the socket has been asked to stop."""
        return connection in self._stopped

    def forget(self, connection: RoomConnection) -> None:
        """The socket is gone."""
        self._stopped.pop(connection, None)

    def relieve(self) -> None:
        """Let sockets read again and writers go on, if there is room."""
        if self._lane.congested:
            return
        if self._unit.starved:
            self._unit.relieve()
        if self._stopped and self._mailbox.under_low_water:
            stopped, self._stopped = self._stopped, {}
            for connection in stopped:
                connection.transport.resume_reading()
