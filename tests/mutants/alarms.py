"""Faults of alarms."""

from typing import Any

from app.core.values import Alarm, DueAlarm, RingOutcome
from app.room import bell
from app.room.bell import AlarmBell
from app.room.hooks import finish
from app.sdk.alarms import AlarmInfo
from app.sdk.durable_object import DurableObject
from app.store import alarms, commit_statement

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
    statement = commit_statement.COMMIT_ALL
    assert _FENCED in statement, "the mutant no longer fits the statement it breaks"
    commit_statement.COMMIT_ALL = statement.replace(  # type: ignore[misc] # a mutant may
        _FENCED, "    on conflict (object_id, name)"
    )


def _replace(owner: Any, name: str, new: Any) -> None:
    setattr(owner, name, new)
