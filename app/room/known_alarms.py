"""Committed alarms of one object, remembered. Pure.

Only the owner of an object changes its alarms, so what was read once stays true until this room
commits a change. Before an instance starts, all of them are read (`fill`), so from then on
nothing about alarms is asked of the database; before, a ring may have read a single one.
"""

from collections.abc import Callable, Mapping

from ..core.values import Alarm
from .buffer import UNKNOWN, Absence, Layer


class KnownAlarms:
    """See the module.

    Args:
        tell: Called with the next attempt of each alarm that is committed.
    """

    __slots__ = ("_complete", "_known", "_tell", "generation")

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._known: dict[str, Alarm | None] = {}
        self._complete = False
        self.generation = 0
        """Counts confirmed changes: a read that began under an older one must not be kept."""

    def __len__(self) -> int:
        return len(self._known)

    def lookup(self, name: str) -> Alarm | Absence | None:
        """Return the alarm, None when there is none, or UNKNOWN."""
        return self._known.get(name, None if self._complete else UNKNOWN)

    def all(self) -> dict[str, Alarm]:
        """Return what is known to stand."""
        return {name: alarm for name, alarm in self._known.items() if alarm is not None}

    def remember(self, name: str, alarm: Alarm | None, *, generation: int) -> None:
        """Keep what a read found, unless a change was confirmed since the read began.

        What is known already stays the very same value: runs know their alarm by identity.
        """
        if generation == self.generation and self._known.get(name, UNKNOWN) != alarm:
            self._keep(name, alarm)

    def fill(self, alarms: Mapping[str, Alarm], *, generation: int) -> None:
        """Keep what a read of all of them found, unless a change was confirmed since."""
        if generation == self.generation:
            for name, alarm in alarms.items():
                self.remember(name, alarm, generation=generation)
            self._known = {name: self._known[name] for name in alarms}
            self._complete = True

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()
        self._complete = False

    def absorb(self, layer: Layer) -> None:
        """Take over a confirmed batch."""
        self.generation += 1
        if layer.wiped:
            self._known.clear()
            self._complete = True
        for name, alarm in (layer.alarms or {}).items():
            self._keep(name, alarm)
            if alarm is not None and alarm.next_attempt_ms is not None:
                self._tell(alarm.next_attempt_ms)

    def _keep(self, name: str, alarm: Alarm | None) -> None:
        """Names that are no more take no room once all are known."""
        if alarm is None and self._complete:
            self._known.pop(name, None)
        else:
            self._known[name] = alarm
