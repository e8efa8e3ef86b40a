"""A hibernated room at rest: it keeps its claim and its sockets, and none of its parts.

The parts of a room (its lane, mailbox, gate, residence ...) are two dozen objects. A room that
hibernates needs none of them until somebody asks it for something, and there may be a hundred
thousand such rooms. So when nothing goes on in any part they are dropped, and made again when one
of them is asked for: what must outlive them is `Slept`.

Nobody may be caught between: whoever has begun something in a part keeps the room from this
(`at_rest`), and whoever has merely kept a part finds that it is over, as in a room that is gone.
(docs/decisions/0037)
"""

from typing import NamedTuple

from ..core.errors import RoomAborted
from ..core.values import Claim
from .auto_response import AutoResponse
from .bell import AlarmBell
from .parts import RoomParts
from .states import RoomState, move


class Slept(NamedTuple):
    """What a room knows that has no parts.

    Attributes:
        claim: The ownership, with the commit number of the object.
        events: How many events have run.
        message_timeout_seconds: See `RoomEvents`.
        pair: What the room answers by itself.
    """

    claim: Claim
    events: int
    message_timeout_seconds: float | None
    pair: AutoResponse | None

    def pass_on(self, parts: RoomParts) -> None:
        """The room has other parts now, which go on from here."""
        parts.life.state = RoomState.HIBERNATED
        parts.events.count = self.events
        parts.events.limit_messages(self.message_timeout_seconds)
        parts.auto.pair = self.pair


def at_rest(parts: RoomParts, bell: AlarmBell | None, now: float) -> bool:
    """Whether a room hibernates and nothing goes on in any part of it.

    Args:
        parts: All but the bell.
        bell: The bell, if it was ever needed.
        now: An instant of the monotonic clock.
    """
    return (
        parts.life.state is RoomState.HIBERNATED
        and parts.life.idle
        and parts.lane.at_rest
        and parts.unit.at_rest
        and parts.gate.at_rest
        and not parts.asking
        and not parts.calls
        and not parts.brake
        and parts.residence.at_rest(now)
        and (bell is None or not bell)
    )


def fall_asleep(parts: RoomParts) -> Slept:
    """Return what outlives the parts. They take nothing more, and hold one another no longer."""
    events, life = parts.events, parts.life
    claim = parts.lane.current_claim
    slept = Slept(claim, events.count, events.message_timeout_seconds, parts.auto.pair)
    over = RoomAborted()
    life.state = move(move(life.state, RoomState.ABORTED), RoomState.GONE)
    parts.lane.break_(over)
    events.stop(over)
    events.retire()
    return slept
