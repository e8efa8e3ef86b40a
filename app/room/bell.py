"""Ringing an alarm: `on_alarm` as an event, and what becomes of the alarm, in one batch.

The alarm is deleted (one that repeats: set for its next time) in the last unit of its own run,
together with what that run wrote, unless it was set again meanwhile; when the run raises, its
unit is undone and a unit of the bell's notes the next attempt. So whatever instant the worker
dies at, either the run is committed and the alarm gone, or the alarm stands and is rung again
(architecture, 9 c).

A ring names the attempt that it is for. One that comes late, twice, or for an alarm that was set
anew finds another attempt or none, and runs nothing.

**No two alarms of one object run at a time**, whatever else of the object may: rings take turns,
in the order in which they came, and a turn ends when the handler has ended. The next alarm need
not wait for the commit of the one before.

An object that throws itself away in a run leaves nobody here who could commit anything. So this
bell tells the ringer, who has the bell of the object's next room `note` it.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from ..core.errors import CallTimedOut, ObjectFrozen, StateroomError
from ..core.values import Alarm, AlarmFailure, DueAlarm, RingOutcome
from ..sdk.alarms import AlarmInfo
from ..sdk.durable_object import DurableObject
from .alarm_arguments import failure_of, is_own
from .alarm_attempts import after_fault, after_run, after_setback
from .alarm_storage import interval_of, payload_of
from .alarms import Abort, RoomAlarms
from .asking import Asking
from .buffer import Absence
from .environment import RoomEnvironment
from .expiry import EXPIRY_ALARM, RowExpiry
from .hooks import finish
from .meter import Meter

_log = structlog.get_logger("stateroom.alarms")

HANDLER_SECONDS: Final = 900.0
"""How long `on_alarm` may take (reference: durable-objects, section 13)."""

_EARLY_SECONDS: Final = 5.0
_CHANCES: Final = 1 << 16


class RunAborted(Exception):
    """The object threw itself away while its `on_alarm` ran.

    Args:
        abort: What it said of the alarm.
        error: What its room ended with.
    """

    def __init__(self, abort: Abort, error: StateroomError) -> None:
        super().__init__(str(error))
        self.abort = abort
        self.error = error


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
        meter: Counts the alarms that are run.
    """

    __slots__ = (
        "_alarms",
        "_asking",
        "_environment",
        "_expiry",
        "_host",
        "_meter",
        "_rings",
        "_turn",
    )

    def __init__(
        self,
        host: BellHost,
        asking: Asking,
        alarms: RoomAlarms,
        expiry: RowExpiry,
        environment: RoomEnvironment,
        meter: Meter,
    ) -> None:
        self._expiry = expiry
        self._meter = meter
        self._host = host
        self._asking = asking
        self._alarms = alarms
        self._environment = environment
        self._turn = asyncio.Lock()
        self._rings = 0

    def __bool__(self) -> bool:
        """Whether any ring is under way."""
        return self._rings > 0

    async def ring(self, due: DueAlarm, *, early: bool = False) -> RingOutcome:
        """Run `on_alarm` if this attempt still stands; its outcome is committed when told.

        Cancelling leaves the run to go on. With `early` its time is not waited for.

        Raises:
            RunAborted: The object threw itself away in the run. Nothing is committed.
            ObjectFrozen: Alarms wait. Nothing is committed, no try is counted.
            StateroomError: The room ended, or could not be started for no fault of the
                author's: nothing is known to have been committed, the alarm stands.
        """
        self._rings += 1
        try:
            return await self._ring(due, early=early)
        finally:
            self._rings -= 1

    async def _ring(self, due: DueAlarm, *, early: bool) -> RingOutcome:
        self._alarms.check_thawed()
        if not _same(await self._alarms.find(due.name), due):
            # It may be ours that is out of date, had somebody changed the row by hand.
            await self._alarms.refresh(due.name)
        if not early:
            await self._wait_for(due.attempt_ms)
        await self._turn.acquire()
        run = _Run(self._alarms, due, self._turn.release)
        question = self._asking.put(
            lambda instance: self._run(run, instance),
            recover=lambda error: self._failed(run, error),
            timeout_seconds=HANDLER_SECONDS,
            ended=lambda _question: run.end_turn(),
        )
        try:
            outcome: RingOutcome = await asyncio.shield(question.answer)
        except StateroomError as error:
            if run.aborted is None:
                raise
            raise RunAborted(run.aborted, error) from error
        self._environment.counters(f"alarms_{outcome.value}")
        return outcome

    async def note(self, due: DueAlarm, aborted: "RunAborted") -> RingOutcome:
        """Note what the object's former room could not; that is committed when told.

        An alarm that was set anew meanwhile is left alone.

        Raises:
            StateroomError: See `ring`.
        """
        question = self._asking.put(
            lambda _instance: self._note(due, aborted),
            recover=lambda _error: None if self._host.closed else self._note(due, aborted),
        )
        outcome: RingOutcome | None = await question.answer
        if outcome is None:
            raise aborted.error
        self._environment.counters(f"alarms_{outcome.value}")
        return outcome

    def _note(self, due: DueAlarm, aborted: "RunAborted") -> RingOutcome | None:
        """None when it is not known what stands."""
        alarm = self._alarms.look(due.name)
        if isinstance(alarm, Absence):
            return None
        if alarm is None or not _same(alarm, due):
            return RingOutcome.SUPERSEDED
        if aborted.abort is Abort.DROP:
            self._end(due.name, alarm)
            return RingOutcome.DONE
        self._fault(due.name, alarm, aborted.error)
        return RingOutcome.FAILED

    async def _wait_for(self, attempt_ms: int) -> None:
        """Sit out the difference when the database's clock is a little ahead of our estimate.

        An object must never see an alarm before its time by its own `ctx.now()`.
        """
        early = (attempt_ms - self._environment.database_clock.now_ms()) / 1000
        if early > 0:
            await self._environment.clock.sleep(min(early, _EARLY_SECONDS))

    async def _run(self, run: "_Run", instance: DurableObject) -> RingOutcome:
        alarms, name = self._alarms, run.due.name
        alarms.check_thawed()  # it may have been frozen while the ring waited
        current = await alarms.find(name)
        if current is None or not _same(current, run.due):
            return RingOutcome.SUPERSEDED
        if name == EXPIRY_ALARM:
            await self._expiry.remove()
            return RingOutcome.DONE
        if not alarms.heard:
            _log.warning("alarm_without_handler", **self._host.names, alarm=name)
            alarms.write(name, None)
            return RingOutcome.DONE
        run.begin(current)
        self._meter.alarms += 1
        try:
            await finish(instance.on_alarm(_info(name, current)))
        finally:
            run.end()
        if alarms.look(name) is current:
            self._end(name, current)
        return RingOutcome.DONE

    def _failed(self, run: "_Run", error: Exception) -> RingOutcome | None:
        """Note the next attempt in a unit that follows the undone one; None if that is not ours.

        Nor when the object is frozen: then the alarm stands as it stood.
        """
        if isinstance(error, ObjectFrozen):
            return None
        alarm = run.standing() if not self._host.closed else None
        if alarm is None:
            # A commit point of the run has replaced it: what was set there stands.
            return RingOutcome.FAILED if run.current and not self._host.closed else None
        if not (is_own(run.due.name) or _is_setback(error, begun=run.current is not None)):
            self._fault(run.due.name, alarm, error)
        elif run.current is None:
            return None
        else:
            following = after_setback(
                alarm, failure=self._failure(error), now_ms=self._now_ms(), chance=_chance()
            )
            self._alarms.write(run.due.name, following)
        return RingOutcome.FAILED

    def _end(self, name: str, alarm: Alarm) -> None:
        """A run has done its work: the alarm is over, or waits for its next time."""
        self._alarms.write(name, after_run(alarm, now_ms=self._now_ms()))

    def _fault(self, name: str, alarm: Alarm, error: Exception) -> None:
        """The author's code has failed a run: the alarm is retried, or given up."""
        following = after_fault(
            alarm, failure=self._failure(error), now_ms=self._now_ms(), chance=_chance()
        )
        self._alarms.write(name, following)
        if following.next_attempt_ms is not None and following.counted_attempts:
            return
        self._environment.counters("alarms_given_up")
        _log.error(
            "alarm_given_up",
            **self._host.names,
            alarm=name,
            due_ms=alarm.due_ms,
            attempts=alarm.counted_attempts + 1,
            goes_on=following.next_attempt_ms is not None,
        )
        for lost in self._alarms.crowd_out():
            _log.error("dead_alarm_dropped", **self._host.names, alarm=lost)

    def _failure(self, error: Exception) -> AlarmFailure:
        return failure_of(error, at_ms=self._now_ms())

    def _now_ms(self) -> int:
        return self._environment.database_clock.now_ms()


class _Run:
    """One ring on its way through the mailbox.

    Attributes:
        current: The alarm that `on_alarm` was called for, once it was.
        aborted: What the object said of it when it threw itself away in the run.
    """

    __slots__ = ("_alarms", "_release", "aborted", "current", "due")

    def __init__(self, alarms: RoomAlarms, due: DueAlarm, release: Callable[[], None]) -> None:
        self._alarms = alarms
        self._release: Callable[[], None] | None = release
        self.due = due
        self.current: Alarm | None = None
        self.aborted: Abort | None = None

    def begin(self, current: Alarm) -> None:
        """The handler is about to be called."""
        self.current = self._alarms.running = current
        self._alarms.aborted = None

    def end(self) -> None:
        """The handler has ended, one way or the other."""
        self.end_turn()
        self._alarms.running = None

    def end_turn(self) -> None:
        """Let the next ring have its turn."""
        if self._release is not None:
            self._release()
            self._release = None
        if self.current is not None and self._alarms.running is self.current:
            self.aborted = self._alarms.aborted

    def standing(self) -> Alarm | None:
        """The alarm of this attempt, if nothing has taken its place."""
        alarm = self._alarms.look(self.due.name)
        if alarm is None or isinstance(alarm, Absence) or not _same(alarm, self.due):
            return None
        return alarm if self.current is None or alarm is self.current else None


def _info(name: str, alarm: Alarm) -> AlarmInfo:
    return AlarmInfo(
        name=name,
        scheduled_for=alarm.due_ms,
        retry_count=alarm.counted_attempts,
        payload=payload_of(alarm),
        every=interval_of(alarm),
    )


def _chance() -> float:
    return secrets.randbelow(_CHANCES) / _CHANCES


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
