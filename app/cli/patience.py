"""How long a supervisor bears with a worker: two pure counts without a clock of their own."""

SHORT_LIFE_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0

_LONGEST_STEP_SECONDS = 0.25


class Silence:
    """How long a worker has said nothing, in time that the supervisor itself was awake.

    After a pause of the whole machine (or of the supervisor alone) the signs of life of that time
    may still lie unread: one step counts for a quarter of a second at most, however long it was.
    """

    def __init__(self, now: float) -> None:
        self._looked_at = now
        self._seconds = 0.0

    def heard(self) -> None:
        """There was a sign of life."""
        self._seconds = 0.0

    def seconds(self, now: float) -> float:
        """Look at an instant of the clock; returns how long there was nothing by then."""
        self._seconds += min(now - self._looked_at, _LONGEST_STEP_SECONDS)
        self._looked_at = now
        return self._seconds


class RestartPause:
    """How long to wait before the next start: nothing after a life, ever longer after none."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def after(self, lived_seconds: float) -> float:
        """Return the pause in seconds after a process that lived so long."""
        if lived_seconds > SHORT_LIFE_SECONDS:
            self._seconds = 0.0
        else:
            self._seconds = min(max(self._seconds * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        return self._seconds
