"""How long to wait before a faulty object is started again. Pure.

An event that raises costs a rebuild of the instance. The first fault costs no wait; further
ones, unless half a minute lies between them, wait longer and longer, so that one bad client
cannot force a reload for every message (architecture, section 5).
"""

_FORGOTTEN_AFTER_SECONDS = 30.0
_FIRST_SECONDS = 0.05
_LONGEST_SECONDS = 5.0
_MOST_DOUBLINGS = 10  # beyond the longest; a loop that goes on for days counts too far for floats


class FaultBackoff:
    """Counts faults that follow one another closely.

    Args:
        free: So many cost no wait.
    """

    __slots__ = ("_count", "_free", "_latest")

    def __init__(self, *, free: int = 1) -> None:
        self._free = free
        self._count = 0
        self._latest = 0.0

    def fault(self, now: float) -> None:
        """Note a fault at an instant of the monotonic clock."""
        if now - self._latest > _FORGOTTEN_AFTER_SECONDS:
            self._count = 0
        self._count += 1
        self._latest = now

    def forgotten(self, now: float) -> bool:
        """Whether what there was at most has no weight any more at `now`."""
        return not self._count or now - self._latest > _FORGOTTEN_AFTER_SECONDS

    def wait_seconds(self, now: float) -> float:
        """How long a start at `now` has to wait."""
        if self._count <= self._free:
            return 0.0
        doublings = min(self._count - self._free - 1, _MOST_DOUBLINGS)
        pause: float = min(_FIRST_SECONDS * 2**doublings, _LONGEST_SECONDS)
        return max(0.0, self._latest + pause - now)
