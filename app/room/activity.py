"""What a room is doing, told to people: one look, at no cost while nobody looks."""

from typing import NamedTuple

from ..core.usage import Usage
from .ledger import UsageLedger
from .parts import RoomParts
from .states import RoomState


class RoomActivity(NamedTuple):
    """One look at a room.

    Attributes:
        state: Where it is in its life.
        awake: Whether there is an instance.
        events: How many events have run here since the object was claimed.
        commits: How many commits it has had since then.
        queued_events: How many events wait.
        queued_bytes: How large they are.
        unconfirmed_bytes: How much is written and not known to be committed.
        commit_seq: The commit number, as far as confirmed.
        usage: What it cost in the last window of the worker's ledger.
        usage_seconds: How long that was; 0 before there is one.
    """

    state: RoomState
    awake: bool
    events: int
    commits: int
    queued_events: int
    queued_bytes: int
    unconfirmed_bytes: int
    commit_seq: int
    usage: Usage
    usage_seconds: float


def activity_of(parts: RoomParts, first_seq: int, ledger: UsageLedger) -> RoomActivity:
    """Look at a room by its parts; `first_seq` is the commit number that it was claimed at."""
    lane, mailbox = parts.lane, parts.mailbox
    return RoomActivity(
        state=parts.life.state,
        awake=parts.residence.instance is not None,
        events=parts.events.count,
        commits=lane.commit_seq - first_seq,
        queued_events=len(mailbox),
        queued_bytes=mailbox.size_bytes,
        unconfirmed_bytes=lane.buffer.unconfirmed_bytes,
        commit_seq=lane.commit_seq,
        usage=ledger.now(lane.claim.object_id),
        usage_seconds=ledger.window_seconds,
    )
