"""The sdk's `AlarmStorage` over a room's alarms."""

from collections.abc import Awaitable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from ..core.storage_codec import decode_value
from ..core.values import Alarm, AlarmFailure
from ..sdk.alarms import AlarmEntry, DeadAlarm
from .alarm_arguments import checked_name
from .effects import DONE, Done
from .storage_parts import CheckedStorage, StorageParts

ResultT = TypeVar("ResultT")

_UNKNOWN_FAILURE: Final = AlarmFailure(error_class="", error_text="", at_ms=0)
"""Of an alarm that was given up by a release that did not keep it."""


class RoomAlarmStorage(CheckedStorage):
    """See `sdk.AlarmStorage` for the contract of each call."""

    def __init__(self, parts: StorageParts) -> None:
        super().__init__(parts)
        self._alarms = parts.alarms

    def set_alarm(
        self,
        when: datetime | int,
        *,
        name: str = "",
        payload: Any = None,
        every: timedelta | float | None = None,
        allow_unconfirmed: bool = False,
    ) -> Awaitable[None]:
        """See `sdk.AlarmStorage.set_alarm`."""
        self._check_storing()
        self._alarms.set(
            checked_name(name),
            when,
            payload=payload,
            every=every,
            confirmed=not allow_unconfirmed,
        )
        self._host.wrote()
        return DONE

    def get_alarm(self, name: str = "") -> Coroutine[Any, Any, int | None]:
        """See `sdk.AlarmStorage.get_alarm`."""
        self._check_alive()
        alarm = self._alarms.look(checked_name(name))
        seen = self._alarms.seen(alarm) if isinstance(alarm, Alarm) else None
        return _told(seen.due_ms if seen is not None else None)

    def list_alarms(self) -> Coroutine[Any, Any, list[AlarmEntry]]:
        """See `sdk.AlarmStorage.list_alarms`."""
        self._check_alive()
        return _told([_entry(name, alarm) for name, alarm in self._alarms.live()])

    def delete_alarm(self, name: str = "", *, allow_unconfirmed: bool = False) -> Awaitable[None]:
        """See `sdk.AlarmStorage.delete_alarm`."""
        self._check_storing()
        self._alarms.delete(checked_name(name), confirmed=not allow_unconfirmed)
        self._host.wrote()
        return DONE

    def dead_alarms(self) -> Coroutine[Any, Any, list[DeadAlarm]]:
        """See `sdk.AlarmStorage.dead_alarms`."""
        self._check_alive()
        return _told([_dead_entry(name, alarm) for name, alarm in self._alarms.dead()])

    def retry_dead_alarm(self, name: str = "") -> Awaitable[bool]:
        """See `sdk.AlarmStorage.retry_dead_alarm`."""
        self._check_storing()
        there = self._alarms.revive(checked_name(name))
        self._host.wrote()
        return Done(lambda: _told(there))

    def forget_dead_alarm(self, name: str = "") -> Awaitable[bool]:
        """See `sdk.AlarmStorage.forget_dead_alarm`."""
        self._check_storing()
        there = self._alarms.bury(checked_name(name))
        self._host.wrote()
        return Done(lambda: _told(there))


async def _told(answer: ResultT) -> ResultT:
    return answer


def interval_of(alarm: Alarm) -> timedelta | None:
    """The interval of an alarm that repeats."""
    return None if alarm.every_ms is None else timedelta(milliseconds=alarm.every_ms)


def payload_of(alarm: Alarm) -> Any:
    """What an alarm was set with."""
    return None if alarm.payload is None else decode_value(alarm.payload)


def _entry(name: str, alarm: Alarm) -> AlarmEntry:
    return AlarmEntry(
        name=name,
        scheduled_for=alarm.due_ms,
        next_run=alarm.next_attempt_ms or alarm.due_ms,
        every=interval_of(alarm),
        payload=payload_of(alarm),
        retry_count=alarm.counted_attempts,
        failure=alarm.failure,
    )


def _dead_entry(name: str, alarm: Alarm) -> DeadAlarm:
    return DeadAlarm(
        name=name,
        scheduled_for=alarm.due_ms,
        payload=payload_of(alarm),
        runs=alarm.counted_attempts,
        failure=alarm.failure or _UNKNOWN_FAILURE,
    )
