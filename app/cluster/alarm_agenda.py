"""When a worker asks the database for due alarms, for how many, and which it rings. Pure.

The database is asked about twice a second, and besides at the very instants of alarms that were
set on this worker. At most `AT_ONCE` alarms are rung at a time. When more are due than were given,
it is asked again at once while there are places, and then as soon as a part of the rings has
ended, not at each one's end.

**No object keeps the others waiting.** The alarms of one object are run one after another, so of
one that has many only a few take up places here, and while it is busy with those it is left out
of what is asked for.
"""

import heapq
from collections import Counter
from collections.abc import Collection
from itertools import count
from typing import Final

from ..core.ids import ObjectId, WorkerId
from ..core.limits import ALARMS_CLAIMED_OF_ONE
from ..core.values import DueAlarm

POLL_SECONDS: Final = 0.5
AT_ONCE: Final = 64
_REFILL: Final = 16
_EXPECTED: Final = 10_000
_SHORTEST_SECONDS: Final = 0.005
_BUSY: Final = ALARMS_CLAIMED_OF_ONE // 2


class AlarmAgenda:
    """See the module. Times are the database's, in milliseconds since 1970."""

    def __init__(self) -> None:
        self._expected: list[int] = []
        self._news = False
        self._more = False
        self._again = False
        self._of_object: Counter[ObjectId] = Counter()
        self._crowded: set[ObjectId] = set()
        self._ringing: dict[int, tuple[WorkerId, DueAlarm]] = {}
        self._numbers = count()

    def expect(self, attempt_ms: int) -> bool:
        """Note that an alarm will be due then; returns whether that is the next instant to ask.

        What there is no room for is found when it is due, up to half a second late.
        """
        self._news = True
        if len(self._expected) >= _EXPECTED:
            self._expected = heapq.nsmallest(_EXPECTED // 2, self._expected)
        heapq.heappush(self._expected, attempt_ms)
        return self._expected[0] == attempt_ms

    def pause_seconds(self, now_ms: int) -> float:
        """How long to wait before the database is asked next."""
        if self._again and self.vacancies >= _REFILL:
            return 0.0
        if not self.vacancies or not self._expected:
            return POLL_SECONDS
        shortest = 0.0 if self._news else _SHORTEST_SECONDS
        return min(POLL_SECONDS, max(shortest, (self._expected[0] - now_ms) / 1000))

    @property
    def vacancies(self) -> int:
        """How many more alarms may be rung now."""
        return AT_ONCE - len(self._ringing)

    @property
    def busy(self) -> Collection[ObjectId]:
        """The objects that have enough to do with what is rung already."""
        return [object_id for object_id, rings in self._of_object.items() if rings >= _BUSY]

    def asked(self, now_ms: int, *, more: bool = False, given: int = 0) -> None:
        """Note that everything due until `now_ms` was asked for.

        Args:
            now_ms: By the database's clock.
            more: Not all of it was given.
            given: How much was.
        """
        while self._expected and self._expected[0] <= now_ms:
            heapq.heappop(self._expected)
        self._news = False
        self._more = more
        self._again = more and given > 0

    def begin(self, worker_id: WorkerId, due: DueAlarm) -> int:
        """Note that an alarm is rung under a claim of that worker; returns the ring's number.

        An alarm may be rung twice at a time: it was set anew while its handler runs, or the claim
        ran out and was made again. Its owner knows which.
        """
        number = next(self._numbers)
        self._ringing[number] = (worker_id, due)
        rings = self._of_object[due.object_id] = self._of_object[due.object_id] + 1
        if rings >= _BUSY:
            self._crowded.add(due.object_id)
        return number

    def end(self, number: int) -> bool:
        """Note that a ring has ended; returns whether to ask for more now."""
        _, due = self._ringing.pop(number)
        rings = self._of_object[due.object_id] = self._of_object[due.object_id] - 1
        if not rings:
            del self._of_object[due.object_id]
        if rings < _BUSY and due.object_id in self._crowded:
            self._crowded.discard(due.object_id)
            return True
        return self._more and self.vacancies >= _REFILL

    def claimed_by(self, worker_id: WorkerId) -> Collection[DueAlarm]:
        """What is being rung under claims of that worker."""
        return {due for claimer, due in self._ringing.values() if claimer == worker_id}
