"""The watchdog: finds rooms that accept and do not get on.

A room is **stalled** when writes or sends of it wait for a commit and none has been confirmed for
longer than a lease would explain: the database, the network or we are at fault, and clients wait.
A room is **stuck** when its event runs, or its oldest event waits, for longer than the event may
take: then code of the author does not even heed its time-out.

It looks at the rooms now and then and compares with what it saw before, so rooms pay nothing
for it between two looks. Each trouble is logged once, with the room's name and age, and counted;
what it names is what `/readyz` and the metrics tell.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import structlog

from ..room.vitals import Vitals

_log = structlog.get_logger("stateroom.watchdog")

_SHORTEST_COMMIT_SECONDS = 10.0
_LEASES = 2
_EVENT_GRACE_SECONDS = 5.0


class Trouble(StrEnum):
    """What is wrong with a room."""

    STALLED = "stalled"
    STUCK = "stuck"


class WatchedLife(Protocol):
    """What the watchdog asks of a room; see `room.life.RoomLife`. Told apart by identity."""

    @property
    def vitals(self) -> Vitals:
        """What can be seen of it now."""
        ...

    @property
    def names(self) -> dict[str, object]:
        """Fields that identify it in a log line."""
        ...


class _Key(NamedTuple):
    life: WatchedLife
    trouble: Trouble


@dataclass(slots=True)
class _Suspect:
    """Something that has not moved since.

    Attributes:
        mark: What must change.
        since: When it was first seen so.
        told: Whether it has been reported.
    """

    mark: int
    since: float
    told: bool = False


class Watchdog:
    """See the module. Pure: the caller brings the rooms and the time.

    Args:
        lease_seconds: A commit may be late by some leases before anybody is alarmed.
        count: Called with `rooms_stalled` or `rooms_stuck` for each new trouble.
    """

    def __init__(
        self, *, lease_seconds: float, count: Callable[[str], None] = lambda _name: None
    ) -> None:
        self._counted = count
        self._commit_seconds = max(_LEASES * lease_seconds, _SHORTEST_COMMIT_SECONDS)
        self._suspects: dict[_Key, _Suspect] = {}
        self.reported = 0
        """How many troubles have been reported since the start."""

    @property
    def stalled(self) -> int:
        """How many rooms are stalled now."""
        return self._count(Trouble.STALLED)

    @property
    def stuck(self) -> int:
        """How many rooms are stuck now."""
        return self._count(Trouble.STUCK)

    def look(self, lives: Iterable[WatchedLife], *, now: float, speaking: bool) -> None:
        """Look at every room that has something to do, at an instant of the monotonic clock.

        The others cannot be in trouble, and need not be shown.

        While the worker may not speak (its lease is over) nothing can be confirmed, and its rooms
        are about to be thrown away: nobody is suspected.
        """
        before, self._suspects = self._suspects, {}
        for life in lives:
            confirmed, ended, allowed_seconds = life.vitals
            if confirmed is not None and speaking:
                self._watch(
                    before, life, Trouble.STALLED, confirmed, now=now, patience=self._commit_seconds
                )
            if ended is not None:
                patience = allowed_seconds + _EVENT_GRACE_SECONDS
                self._watch(before, life, Trouble.STUCK, ended, now=now, patience=patience)
        for key, suspect in before.items():
            if suspect.told and key not in self._suspects:
                _log.info("room_gets_on", trouble=key.trouble.value, **key.life.names)

    def _watch(
        self,
        before: dict[_Key, _Suspect],
        life: WatchedLife,
        trouble: Trouble,
        mark: int,
        *,
        now: float,
        patience: float,
    ) -> None:
        key = _Key(life, trouble)
        suspect = before.get(key)
        if suspect is None or suspect.mark != mark:
            if suspect is not None and suspect.told:
                return  # it has moved: told by `look`, and suspected again at the next one
            suspect = _Suspect(mark, now)
        self._suspects[key] = suspect
        if not suspect.told and now - suspect.since > patience:
            suspect.told = True
            self.reported += 1
            self._counted(f"rooms_{trouble.value}")
            seconds = round(now - suspect.since, 1)
            _log.error("room_does_not_get_on", trouble=trouble.value, seconds=seconds, **life.names)

    def _count(self, trouble: Trouble) -> int:
        return sum(
            suspect.told and key.trouble is trouble for key, suspect in self._suspects.items()
        )
