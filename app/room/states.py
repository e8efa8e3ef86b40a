"""The life of a room, as one table.

LOADING ──▶ ACTIVE ──▶ HIBERNATED ──▶ LOADING ...      (sockets kept, instance dropped)
   │           │            │
   │           ├──▶ EVICTING ──▶ GONE                    (idle and without sockets)
   │           └──▶ DRAINING ──▶ GONE                    (the worker is going away)
   └──────▶ ABORTED ◀── any state but GONE               (a gate broke, the lease ended)
"""

from enum import Enum, auto


class RoomState(Enum):
    """Where a room is in its life."""

    LOADING = auto()
    ACTIVE = auto()
    HIBERNATED = auto()
    EVICTING = auto()
    DRAINING = auto()
    ABORTED = auto()
    GONE = auto()


TRANSITIONS: dict[RoomState, frozenset[RoomState]] = {
    RoomState.LOADING: frozenset(
        {RoomState.ACTIVE, RoomState.EVICTING, RoomState.DRAINING, RoomState.ABORTED}
    ),
    RoomState.ACTIVE: frozenset(
        {
            RoomState.LOADING,
            RoomState.HIBERNATED,
            RoomState.EVICTING,
            RoomState.DRAINING,
            RoomState.ABORTED,
        }
    ),
    RoomState.HIBERNATED: frozenset(
        {RoomState.LOADING, RoomState.EVICTING, RoomState.DRAINING, RoomState.ABORTED}
    ),
    RoomState.EVICTING: frozenset({RoomState.GONE, RoomState.ABORTED}),
    RoomState.DRAINING: frozenset({RoomState.GONE, RoomState.ABORTED}),
    RoomState.ABORTED: frozenset({RoomState.GONE}),
    RoomState.GONE: frozenset(),
}

CLOSED_STATES = frozenset({RoomState.ABORTED, RoomState.GONE})
LEAVING_STATES = CLOSED_STATES | {RoomState.EVICTING, RoomState.DRAINING}


class IllegalTransition(RuntimeError):
    """The table does not allow this move; a fault of the engine."""

    def __init__(self, before: RoomState, after: RoomState) -> None:
        super().__init__(f"a room cannot go from {before.name} to {after.name}")


def move(before: RoomState, after: RoomState) -> RoomState:
    """Return `after`.

    Raises:
        IllegalTransition: The table has no such move.
    """
    if after not in TRANSITIONS[before]:
        raise IllegalTransition(before, after)
    return after
