"""Ringing an alarm wherever its object lives: here, or at another worker over a link.

The owner decides whether the ring is still for the alarm that stands (`room.bell`), so a ring may
be sent twice without harm. Once the author's code may have begun, a failure is told to the
scheduler, which rings again after a pause, rather than tried again at once.
"""

from collections.abc import Mapping
from typing import Any, Final

from ..core.errors import LinkGarbled, RoomAborted, StateroomError
from ..core.ids import ObjectId
from ..core.values import DueAlarm, RingOutcome
from ..room.bell import HANDLER_SECONDS, RunAborted
from .finder import OwnerFinder
from .link import Link
from .link_errors import NotBegun
from .link_service import ASK, LinkService, object_meta
from .questions import Outcome, once_begun
from .registry import RoomRegistry

ALARM: Final = "alarm"
_RING_SECONDS: Final = HANDLER_SECONDS + 100.0
"""The backstop: the owner sees to it that no handler takes longer than it may."""


class AlarmRinger:
    """See the module.

    Args:
        registry: The rooms of this worker.
        finder: Where other objects are.
    """

    def __init__(self, registry: RoomRegistry, finder: OwnerFinder) -> None:
        self._registry = registry
        self._finder = finder

    def serve(self, service: LinkService) -> None:
        """Ring objects of this worker for the others."""
        service.serve(ALARM, self._answer)

    async def ring(self, alarm: DueAlarm) -> RingOutcome:
        """Have the object's owner run the alarm.

        Raises:
            StateroomError: That came to nothing; the alarm stands.
        """

        async def here() -> Outcome[RingOutcome]:
            return await once_begun(ring_here(self._registry, alarm))

        async def there(link: Link) -> Outcome[RingOutcome]:
            return await once_begun(_ring_there(link, alarm))

        return (await self._finder.reach(alarm.object_id, here, there)).get()

    async def _answer(
        self, object_id: ObjectId, meta: Mapping[str, Any], body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        del body
        try:
            alarm = DueAlarm(
                object_id=object_id,
                name=str(meta["alarm"]),
                due_ms=int(meta["due"]),
                attempt_ms=int(meta["attempt"]),
            )
        except (KeyError, TypeError, ValueError):
            raise LinkGarbled from None
        outcome = await ring_here(self._registry, alarm)
        return {"outcome": outcome.value}, b""


async def ring_here(registry: RoomRegistry, alarm: DueAlarm, *, early: bool = False) -> RingOutcome:
    """Ring an object whose room is here, or is made here; `early`: whatever its time.

    When the object throws itself away in the run, its next room is asked at once to note that.

    Raises:
        NotBegun: There is no room of it here that takes events; nothing has happened.
        StateroomError: See `AlarmBell.ring`.
    """
    try:
        room = await registry.find(alarm.object_id)
    except StateroomError as error:
        raise NotBegun(error) from error
    if not room.open:
        raise NotBegun(RoomAborted())
    try:
        return await room.bell.ring(alarm, early=early)
    except RunAborted as aborted:
        next_room = await registry.find(alarm.object_id)
        return await next_room.bell.note(alarm, aborted)


async def _ring_there(link: Link, alarm: DueAlarm) -> RingOutcome:
    meta = object_meta(alarm.object_id) | {
        ASK: ALARM,
        "alarm": alarm.name,
        "due": alarm.due_ms,
        "attempt": alarm.attempt_ms,
    }
    answer, _ = await link.call(meta, b"", within_seconds=_RING_SECONDS)
    try:
        return RingOutcome(str(answer.get("outcome")))
    except ValueError:
        raise LinkGarbled from None
