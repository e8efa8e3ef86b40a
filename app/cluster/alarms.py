"""The alarm scheduler: claims due alarms and has their objects ring them, wherever they live.

Every worker has one. Of all of them one claims a due alarm; it keeps the claim while the handler
runs, wherever that is, and does nothing else to the alarm: deleting it, counting its attempts and
setting the next one are part of the owner's commit (`room.bell`). When the worker dies its claims
are void and another rings again; the owner knows a ring that was answered already. A worker that
is leaving, or has lost its lease, claims nothing (architecture, 9 c).

A ring that comes to nothing (the owner unreachable, its room thrown away) keeps the claim for a
pause, longer each time, and is then anybody's.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from uuid import UUID

import structlog

from ..core.clock import Clock, DatabaseClock, Timer
from ..core.errors import ObjectDeleted, ObjectFrozen, StateroomError, WorkerLeaving
from ..core.ids import WorkerId
from ..core.metric_catalogue import METRICS
from ..core.metrics import OTHER, Histogram, Reading, Tally
from ..core.ports import AlarmQueue
from ..core.tasks import TaskOwner
from ..core.values import DueAlarm, RingOutcome
from .alarm_agenda import AlarmAgenda
from .membership import Membership, Standing

_log = structlog.get_logger("stateroom.alarms")

CLAIM_SECONDS: Final = 10.0
_KEEP_SECONDS: Final = CLAIM_SECONDS / 3
# A handler may take 15 minutes, and wait for its turn before.
_RING_SECONDS: Final = 1_800.0
_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_SETBACKS: Final = 10_000

Ring = Callable[[DueAlarm], Awaitable[RingOutcome]]
"""Has the object's owner run the alarm; raises StateroomError when that came to nothing."""


class AlarmScheduler:
    """See the module.

    Args:
        queue: Where due alarms are claimed.
        ring: Reaches the owner.
        membership: Whether this worker may claim, and under which id.
        clock: For the waits.
        database_clock: Tells when an expected alarm is due.
    """

    def __init__(
        self,
        *,
        queue: AlarmQueue,
        ring: Ring,
        membership: Membership,
        clock: Clock,
        database_clock: DatabaseClock,
    ) -> None:
        self._queue = queue
        self._ring = ring
        self._membership = membership
        self._clock = clock
        self._database_clock = database_clock
        self._agenda = AlarmAgenda()
        self._tasks = TaskOwner("alarms")
        self._wake = asyncio.Event()
        self._timer: Timer | None = None
        self._setbacks: dict[tuple[UUID, str], int] = {}
        self._away = False
        self._lag = Histogram(METRICS["alarm_lag_seconds"])
        self._tally = Tally()

    def read(self) -> Iterable[Reading]:
        """See `core.metrics.Readable`."""
        return [*self._lag.read(), *self._tally.read()]

    def start(self) -> None:
        """Begin to ring."""
        self._tasks.start(self._run(), name="scheduler")
        self._tasks.start(self._keep_claims(), name="claims")

    async def close(self) -> None:
        """Ring no more. What is being rung is left to its owner; the claims run out."""
        await self._tasks.close()
        self._disarm()

    def expect(self, attempt_ms: int) -> None:
        """An alarm was set on this worker: look for it when it is due, not later."""
        if self._agenda.expect(attempt_ms) and self._timer is not None:
            self._arm()

    async def _run(self) -> None:
        while True:
            self._arm()
            await self._wake.wait()
            self._wake.clear()
            self._disarm()
            await self._claim()

    def _arm(self) -> None:
        """Wake the loop at the next instant to ask."""
        self._disarm()
        pause = self._agenda.pause_seconds(self._database_clock.now_ms())
        if pause > 0:
            self._timer = self._clock.call_later(pause, self._wake.set)
        else:
            self._wake.set()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _claim(self) -> None:
        membership, agenda = self._membership, self._agenda
        limit = agenda.vacancies
        now_ms = self._database_clock.now_ms()
        if not limit:
            return
        if membership.standing is not Standing.LIVE or not membership.holds():
            agenda.asked(now_ms)
            return
        worker_id = membership.worker_id
        try:
            found = await self._queue.claim_due(
                worker_id, limit=limit, seconds=CLAIM_SECONDS, without=agenda.busy
            )
        except StateroomError as error:
            agenda.asked(now_ms)
            self._note_absence(error)
            return
        self._away = False
        given = len(found.alarms)
        agenda.asked(found.database_ms, more=found.more or given == limit, given=given)
        for due in found.alarms:
            self._lag.observe(max(found.database_ms - due.attempt_ms, 0) / 1_000)
            number = agenda.begin(worker_id, due)
            self._tasks.start(self._ring_one(number, worker_id, due), name="ring")

    def _note_absence(self, error: StateroomError) -> None:
        """Say once that alarms wait, not twice a second."""
        if not self._away:
            _log.warning("alarms_wait", code=error.code)
        self._away = True

    async def _ring_one(self, number: int, worker_id: WorkerId, due: DueAlarm) -> None:
        try:
            async with asyncio.timeout(_RING_SECONDS):
                await self._ring(due)
            self._setbacks.pop((due.object_id.uuid, due.name), None)
        except (StateroomError, TimeoutError) as error:
            await self._postpone(worker_id, due, error)
        except Exception as error:  # noqa: BLE001 - logged; a fault of ours must not stop the others
            _log.exception("alarm_ring_failed", object=str(due.object_id))
            await self._postpone(worker_id, due, error)
        finally:
            if self._agenda.end(number):
                self._wake.set()

    async def _postpone(self, worker_id: WorkerId, due: DueAlarm, error: Exception) -> None:
        """Keep the claim for a pause, so that nobody rings meanwhile."""
        pause = self._pause_after(due, error)
        code = error.code if isinstance(error, StateroomError) else type(error).__name__
        self._tally("alarms_postponed", code if isinstance(error, StateroomError) else OTHER)
        _log.warning(
            "alarm_postponed",
            namespace=due.object_id.namespace,
            object=due.object_id.name or str(due.object_id),
            code=code,
            seconds=round(pause, 1),
        )
        try:
            await self._queue.keep(worker_id, [due], seconds=pause)
        except StateroomError as absence:  # then the claim runs out by itself
            self._note_absence(absence)

    def _pause_after(self, due: DueAlarm, error: Exception) -> float:
        if isinstance(error, WorkerLeaving | ObjectFrozen | ObjectDeleted):
            # Another worker can ring it at once; or nobody is given it before the object is back.
            return 0.0
        if len(self._setbacks) >= _SETBACKS:
            self._setbacks.clear()
        key = (due.object_id.uuid, due.name)
        before = self._setbacks.get(key, 0)
        self._setbacks[key] = before + 1
        pause = min(_FIRST_PAUSE_SECONDS * (1 << min(before, 10)), _LONGEST_PAUSE_SECONDS)
        return pause * (1 + secrets.randbelow(256) / 1024)

    async def _keep_claims(self) -> None:
        while True:
            await self._clock.sleep(_KEEP_SECONDS)
            worker_id = self._membership.worker_id
            alarms = self._agenda.claimed_by(worker_id)
            if not alarms:
                continue
            try:
                await self._queue.keep(worker_id, alarms, seconds=CLAIM_SECONDS)
            except StateroomError as error:
                self._note_absence(error)
