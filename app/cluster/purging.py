"""The purge of deleted objects, in the background of every worker (`core.object_state`).

It goes in bounded steps with pauses between them, so that commits of others notice little of it.
Workers need not agree: what one has begun another goes on with, at once or after its end.
"""

import asyncio
from typing import Final

import structlog

from ..core.clock import Clock
from ..core.errors import StateroomError
from ..core.ids import ObjectId
from ..core.object_state import ObjectStates

_log = structlog.get_logger("stateroom.purging")

STEP_ROWS: Final = 500
"""Most rows of each table that one statement removes."""
_OBJECTS: Final = 16
_EVERY_SECONDS: Final = 5.0
_STEP_SECONDS: Final = 0.02
_AFTER_ERROR_SECONDS: Final = 30.0
_AT_ONCE_SECONDS: Final = 5.0


class Purger:
    """See the module. Cancelling is safe at any time.

    Args:
        states: How objects stand.
        clock: For the pauses.
    """

    def __init__(self, states: ObjectStates, clock: Clock) -> None:
        self._states = states
        self._clock = clock

    async def run(self) -> None:
        """Purge what is due, for ever; an absence of the database is waited out."""
        while True:
            try:
                found = await self.purge_due()
                pause = _STEP_SECONDS if found == _OBJECTS else _EVERY_SECONDS
            except StateroomError as error:
                _log.warning("purge_failed", code=error.code)
                pause = _AFTER_ERROR_SECONDS
            await self._clock.sleep(pause)

    async def purge_due(self) -> int:
        """Purge some of the objects whose grace time is over; returns how many.

        Raises:
            StoreUnavailable: The database is away; the rest is done another time.
        """
        due = await self._states.begin_purges(limit=_OBJECTS)
        for object_id in due:
            await self._purge(object_id)
        return len(due)

    async def purge_now(self, object_id: ObjectId) -> bool:
        """Purge one object whose time has come; False when the rest of it is left to `run`.

        Raises:
            StoreUnavailable: The database is away.
        """
        if not await self._states.begin_purges(limit=1, only=[object_id]):
            return False
        try:
            async with asyncio.timeout(_AT_ONCE_SECONDS):
                await self._purge(object_id)
        except TimeoutError:
            return False
        return True

    async def _purge(self, object_id: ObjectId) -> None:
        while not await self._states.purge_step(object_id, rows=STEP_ROWS):
            await self._clock.sleep(_STEP_SECONDS)
        _log.info(
            "object_purged",
            namespace=object_id.namespace,
            object=object_id.name or str(object_id),
        )
