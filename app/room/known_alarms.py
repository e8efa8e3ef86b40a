"""Committed alarms of one object, remembered. Pure.

Only the owner of an object changes its alarms, so what was read once stays true until this room
commits a change. An object uses few names; those that it used are kept.
"""

from collections.abc import Callable

from ..core.values import Alarm
from .buffer import UNKNOWN, Absence, Layer


class KnownAlarms:
    """See the module.

    Args:
        tell: Called with the next attempt of each alarm that is committed.
    """

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._known: dict[str, Alarm | None] = {}
        self.generation = 0
        """Counts confirmed changes: a read that began under an older one must not be kept."""

    def lookup(self, name: str) -> Alarm | Absence | None:
        """Return the alarm, None when there is none, or UNKNOWN."""
        return self._known.get(name, UNKNOWN)

    def remember(self, name: str, alarm: Alarm | None, *, generation: int) -> None:
        """Keep what a read found, unless a change was confirmed since the read began."""
        if generation == self.generation:
            self._known[name] = alarm

    def forget(self, name: str) -> None:
        """Let the next look-up ask the database."""
        self._known.pop(name, None)

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()

    def absorb(self, layer: Layer) -> None:
        """Take over a confirmed batch."""
        self.generation += 1
        if layer.wiped:
            self._known = dict.fromkeys(self._known)
        for name, alarm in (layer.alarms or {}).items():
            self._known[name] = alarm
            if alarm is not None and alarm.next_attempt_ms is not None:
                self._tell(alarm.next_attempt_ms)
