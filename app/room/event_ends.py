"""How the events of a room end: well, undone, or failed with all that they did kept.

And what the client hears whose event it was.
"""

import structlog

from ..core.errors import (
    BodyBroken,
    ObjectFrozen,
    StoreUnavailable,
    TooManyWrites,
    UnitTooLarge,
)
from ..core.metrics import Counting
from ..core.values import Claim
from .closing import close_for
from .connections import RoomConnection
from .faults import as_fault
from .log_names import log_fault, names_of
from .outputs import Close
from .residence import Residence
from .unit import RunningUnit

_NOT_TO_BLAME = (StoreUnavailable, BodyBroken, ObjectFrozen)

_log = structlog.get_logger("stateroom.room")


class EventEnds:
    """See the module.

    Args:
        unit: Ended or undone with each event.
        residence: Where the instance lives.
        claim: The room's, for log lines.
        counters: Told of faults, and of clients that are refused.
        keeping: Whether an event that raises is not undone (`interleave`).
    """

    __slots__ = ("_claim", "_counters", "_keeping", "_residence", "_unit", "well")

    def __init__(
        self,
        unit: RunningUnit,
        residence: Residence,
        *,
        claim: Claim,
        counters: Counting,
        keeping: bool,
    ) -> None:
        self._unit = unit
        self.well = unit.finish
        """The event ended well: its unit is finished. For each message, so no call of our own."""
        self._residence = residence
        self._claim = claim
        self._counters = counters
        self._keeping = keeping

    def step(self) -> None:
        """Code that runs between events, or among them, waits: its unit is finished."""
        self._unit.end_step()

    def undone(self, error: Exception) -> None:
        """The event raised: undo its unit and drop the instance.

        What could not read because the database or the client is away, or could not write
        because the object is frozen, is undone too, and is no fault of its own.
        """
        if isinstance(error, _NOT_TO_BLAME):
            self._unit.discard()
            self._residence.fault(blamed=False)
            _log.warning(
                "event_undone", **names_of(self._claim), code=error.code, reason=str(error)
            )
        else:
            self.blamed(error)

    def blamed(self, error: Exception) -> None:
        """Undo what the author's code did before it raised, and drop the instance."""
        self._unit.discard()
        self._residence.fault()
        self._count_fault(error)

    def unfinished(self) -> None:
        """The event has left transactions open: undo them, and nothing else."""
        self._unit.discard_transactions()

    def kept(self, error: Exception) -> None:
        """The event raised: what it did stays, and so does the instance."""
        if isinstance(error, _NOT_TO_BLAME):
            _log.warning(
                "event_failed", **names_of(self._claim), code=error.code, reason=str(error)
            )
        else:
            self._count_fault(error)

    def refuse(self, connection: RoomConnection, error: Exception) -> None:
        """The event of this client failed: close its socket, after what stays of the event."""
        if self._keeping and self._unit.alive:
            connection.deaf = True
            self._unit.stage(_turning_away(connection, error))
        else:
            turn_away(connection, error)
        self._counters("rejects", as_fault(error).code)

    def _count_fault(self, error: Exception) -> None:
        self._counters("object_faults")
        if isinstance(error, UnitTooLarge | TooManyWrites):
            # One clear line: where in the author's code the bound was reached says nothing more.
            _log.error("object_fault", **names_of(self._claim), code=error.code, reason=str(error))
        else:
            log_fault(_log, "object_fault", names_of(self._claim), error)


def turn_away(connection: RoomConnection, error: Exception) -> None:
    """Close the socket of a client that cannot be served: for good, or to come back."""
    _turning_away(connection, error).run()


def _turning_away(connection: RoomConnection, error: Exception) -> Close:
    fault = as_fault(error)  # an author's own class of ours may have any code, or none
    return Close(connection, *close_for(fault), fault.retryable)
