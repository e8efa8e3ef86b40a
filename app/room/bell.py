"""Ringing an alarm: `on_alarm` as an event, and what becomes of the alarm, in one batch.

The alarm is deleted in the last unit of its own run, together with what that run wrote, unless it
was set again meanwhile; when the run raises, its unit is undone and a unit of the bell's notes the
next attempt. So whatever instant the worker dies at, either the run is committed and the alarm
gone, or the alarm stands and is rung again (architecture, 9 c).

A ring names the attempt that it is for. One that comes late, twice, or for an alarm that was set
anew finds another attempt or none, and runs nothing.
"""

import secrets
from typing import Final, Protocol

import structlog

from ..core.errors import CallTimedOut, StateroomError
from ..core.values import Alarm, DueAlarm, RingOutcome
from ..sdk.alarms import AlarmInfo
from ..sdk.durable_object import DurableObject
from .alarm_attempts import after_fault, after_setback
from .alarms import RoomAlarms
from .asking import Asking
from .buffer import Absence
from .environment import RoomEnvironment
from .expiry import EXPIRY_ALARM, RowExpiry
from .instance import finish

_log = structlog.get_logger("stateroom.alarms")

HANDLER_SECONDS: Final = 900.0
"""How long `on_alarm` may take (reference: durable-objects, section 13)."""

_EARLY_SECONDS: Final = 5.0
_CHANCES: Final = 1 << 16


class BellHost(Protocol):
    """What the bell asks of its room."""

    @property
    def closed(self) -> bool:
        """Whether the room is over."""
        ...

    @property
    def names(self) -> dict[str, object]:
        """Fields that identify the room in a log line."""
        ...


class AlarmBell:
    """See the module.

    Args:
        host: The room's life.
        asking: Runs the event and hands its outcome on when it is committed.
        alarms: The room's alarms.
        expiry: What the alarm of its own rings for.
        environment: For clocks and counters.
    """

    def __init__(
        self,
        host: BellHost,
        asking: Asking,
        alarms: RoomAlarms,
        expiry: RowExpiry,
        environment: RoomEnvironment,
    ) -> None:
        self._expiry = expiry
        self._host = host
        self._asking = asking
        self._alarms = alarms
        self._environment = environment

    async def ring(self, due: DueAlarm, *, early: bool = False) -> RingOutcome:
        """Run `on_alarm` if this attempt still stands; its outcome is committed when told.

        Cancelling leaves the run to go on. With `early` its time is not waited for.

        Raises:
            StateroomError: The room ended, or could not be started for no fault of the
                author's: nothing is known to have been committed, the alarm stands.
        """
        if not _same(await self._alarms.find(due.name), due):
            # It may be ours that is out of date, had somebody changed the row by hand.
            self._alarms.forget(due.name)
            await self._alarms.find(due.name)
        if not early:
            await self._wait_for(due.attempt_ms)
        run = _Run(self._alarms, due)
        question = self._asking.put(
            lambda instance: self._run(run, instance),
            recover=lambda error: self._failed(run, error),
            timeout_seconds=HANDLER_SECONDS,
        )
        outcome: RingOutcome = await question.answer
        self._environment.counters(f"alarms_{outcome.value}")
        return outcome

    async def _wait_for(self, attempt_ms: int) -> None:
        """Sit out the difference when the database's clock is a little ahead of our estimate.

        An object must never see an alarm before its time by its own `ctx.now()`.
        """
        early = (attempt_ms - self._environment.database_clock.now_ms()) / 1000
        if early > 0:
            await self._environment.clock.sleep(min(early, _EARLY_SECONDS))

    async def _run(self, run: "_Run", instance: DurableObject) -> RingOutcome:
        alarms, name = self._alarms, run.due.name
        current = await alarms.find(name)
        if current is None or not _same(current, run.due):
            return RingOutcome.SUPERSEDED
        if name == EXPIRY_ALARM:
            await self._expiry.remove()
            return RingOutcome.DONE
        if not alarms.heard:
            _log.warning("alarm_without_handler", **self._host.names)
            alarms.write(name, None)
            return RingOutcome.DONE
        run.current = alarms.running = current
        try:
            info = AlarmInfo(
                name=name, scheduled_for=current.due_ms, retry_count=current.counted_attempts
            )
            await finish(instance.on_alarm(info))
        finally:
            alarms.running = None
        if alarms.look(name) is current:
            alarms.write(name, None)
        return RingOutcome.DONE

    def _failed(self, run: "_Run", error: Exception) -> RingOutcome | None:
        """Note the next attempt in a unit that follows the undone one; None if that is not ours."""
        alarm = run.standing() if not self._host.closed else None
        if alarm is None:
            # A commit point of the run has replaced it: what was set there stands.
            return RingOutcome.FAILED if run.current and not self._host.closed else None
        setback = _is_setback(error, begun=run.current is not None)
        if setback and run.current is None:
            return None
        following = (after_setback if setback else after_fault)(
            alarm,
            now_ms=self._environment.database_clock.now_ms(),
            chance=secrets.randbelow(_CHANCES) / _CHANCES,
        )
        self._alarms.write(run.due.name, following)
        if following.next_attempt_ms is None:
            self._environment.counters("alarms_given_up")
            _log.error(
                "alarm_given_up",
                **self._host.names,
                alarm=run.due.name,
                due_ms=alarm.due_ms,
                attempts=following.counted_attempts,
            )
        return RingOutcome.FAILED


class _Run:
    """One ring on its way through the mailbox.

    Attributes:
        current: The alarm that `on_alarm` was called for, once it was.
    """

    def __init__(self, alarms: RoomAlarms, due: DueAlarm) -> None:
        self._alarms = alarms
        self.due = due
        self.current: Alarm | None = None

    def standing(self) -> Alarm | None:
        """The alarm of this attempt, if nothing has taken its place."""
        alarm = self._alarms.look(self.due.name)
        if alarm is None or isinstance(alarm, Absence) or not _same(alarm, self.due):
            return None
        return alarm if self.current is None or alarm is self.current else None


def _same(alarm: Alarm | None, due: DueAlarm) -> bool:
    return alarm is not None and (alarm.due_ms, alarm.next_attempt_ms) == (
        due.due_ms,
        due.attempt_ms,
    )


def _is_setback(error: Exception, *, begun: bool) -> bool:
    """Whether a failed run does not count: it was not the author's code that failed.

    Before the run has begun, a bound that was reached is one of the worker's. A call without an
    answer counts: the called object may never give one, and what waits for it must end some day.
    """
    if not isinstance(error, StateroomError) or isinstance(error, CallTimedOut):
        return False
    return error.retryable or (error.overloaded and not begun)
