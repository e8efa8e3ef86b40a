"""Faults of alarms."""

from dataclasses import replace
from typing import Any

from app.core.values import Alarm, DueAlarm, RingOutcome
from app.room import bell
from app.room.bell import AlarmBell, RunAborted
from app.room.hooks import finish
from app.sdk.alarms import AlarmInfo
from app.sdk.durable_object import DurableObject
from app.store import alarms
from tests.mutants.commits import edit_commits

_VOID = """ or not exists (
          select from worker w
          where w.worker_id = a.claimed_by and w.state <> 'dead' and w.lease_expires_at > now()
      )"""
_FENCED = "    join fenced on fenced.object_id = s.object_id\n    on conflict (object_id, name)"


def ends_before_its_run() -> None:
    """The alarm is deleted in the first unit of its run, not in the last one."""

    async def run(self: AlarmBell, of: Any, instance: DurableObject) -> RingOutcome:
        current = await self._alarms.find(of.due.name)
        if current is None:
            return RingOutcome.SUPERSEDED
        self._alarms.write(of.due.name, None)
        await finish(instance.on_alarm(AlarmInfo(scheduled_for=current.due_ms)))
        return RingOutcome.DONE

    _replace(AlarmBell, "_run", run)


def any_ring_runs() -> None:
    """The owner does not ask for which attempt it is rung."""

    def same(alarm: Alarm | None, due: DueAlarm) -> bool:
        del due
        return alarm is not None

    _replace(bell, "_same", same)


def claims_outlive_their_worker() -> None:
    """The claim of a dead worker holds until its time is over."""
    assert _VOID in alarms.CLAIM_DUE, "the mutant no longer fits the statement it breaks"
    alarms.CLAIM_DUE = alarms.CLAIM_DUE.replace(_VOID, "")  # type: ignore[misc] # a mutant may


def alarms_pass_the_fence() -> None:
    """An alarm is set whether or not the fence let its batch through."""
    edit_commits({_FENCED: "    on conflict (object_id, name)"})


def series_drift() -> None:
    """An alarm that repeats counts its next time from the end of its run."""

    def later(alarm: Alarm, *, now_ms: int) -> Alarm | None:
        every = alarm.every_ms
        if every is None:
            return None
        return replace(alarm, due_ms=now_ms + every, next_attempt_ms=now_ms + every)

    _replace(bell, "after_run", later)


def aborted_runs_are_over() -> None:
    """An alarm whose object threw itself away in the run is taken for done."""

    def note(self: AlarmBell, due: DueAlarm, aborted: RunAborted) -> RingOutcome:
        del aborted
        self._alarms.write(due.name, None)
        return RingOutcome.DONE

    _replace(AlarmBell, "_note", note)


def alarms_of_an_object_run_side_by_side() -> None:
    """Rings take no turns."""

    class NoTurn:
        async def acquire(self) -> bool:
            return True

        def release(self) -> None:
            """There was none."""

    make = AlarmBell.__init__

    def without_turns(self: AlarmBell, *arguments: Any) -> None:
        make(self, *arguments)
        _replace(self, "_turn", NoTurn())

    _replace(AlarmBell, "__init__", without_turns)


def _replace(owner: Any, name: str, new: Any) -> None:
    setattr(owner, name, new)
