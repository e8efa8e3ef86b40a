"""Hand-off of sockets between the workers of one machine, put together where it is possible.

It is an improvement, never a condition: where the system has no such thing, or refuses the folder
or the door, that is logged and links serve the sockets.
"""

from collections.abc import Awaitable, Callable

import structlog

from ..cluster.handed_sockets import HandedSockets
from ..cluster.locator import Locator
from ..cluster.registry import RoomRegistry
from ..core.clock import Clock
from ..core.handoff import Adopt
from ..core.ids import WorkerId
from ..core.ports import LeaseCheck
from ..settings import Settings
from ..transport.handoff_channel import HandoffChannel
from ..transport.handoff_door import HandoffDoor
from ..transport.handoff_folder import SUPPORTED, HandoffFolder

Begin = Callable[[WorkerId, LeaseCheck], Awaitable[None]]

_log = structlog.get_logger("stateroom.handoff")


class Handoff:
    """See the module.

    Args:
        settings: Whether it is wanted, and where the data directory is.
        slot: Which of the machine's workers this is.
        clock: For deadlines.
    """

    def __init__(self, settings: Settings, *, slot: int, clock: Clock) -> None:
        self._sockets = HandedSockets()
        self._folder = HandoffFolder(settings.data_dir)
        self._wanted = SUPPORTED and settings.handoff and settings.workers > 1
        self._door = HandoffDoor(self._folder, slot=slot, taker=self._sockets, clock=clock)

    def after(self, begin: Begin) -> Begin:
        """Have a door of that name whenever a life of this worker has begun."""

        async def begun(worker_id: WorkerId, lease: LeaseCheck) -> None:
            await begin(worker_id, lease)
            if self._wanted:
                self._open(worker_id)

        return begun

    def join(self, registry: RoomRegistry, locator: Locator) -> None:
        """Take sockets of these rooms, and hand those of other workers' objects to them."""
        self._sockets.belong_to(registry)
        if self._wanted:
            locator.give_by(HandoffChannel(self._folder))

    def serve(self, adopt: Adopt) -> None:
        """Have sockets that are taken served so; before, none is."""
        self._sockets.serve(adopt)

    def close(self) -> None:
        """Take no sockets any more."""
        self._sockets.serve(None)
        self._door.close()

    def _open(self, worker_id: WorkerId) -> None:
        try:
            self._door.open(worker_id)
        except OSError as error:
            reason = error.strerror or str(error)
            _log.warning("handoff_impossible", reason=reason, remedy="Links serve in its place.")
