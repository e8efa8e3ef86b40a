"""Freezing and thawing the object of a live room (`core.object_state`).

Between two events, when all they did is committed, it is written down that the object takes no
changes, or takes them again; then the instance goes and another takes its place, whose storage
refuses every write. The sockets stay. So `ctx.frozen` never changes under an instance.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from ..core.errors import OwnershipLost, RoomAborted, StateroomError
from ..core.values import Claim
from .commits import CommitLane
from .passage import passage
from .residence import Residence
from .unit import RunningUnit

Mark = Callable[[Claim], Awaitable[bool]]
"""Writes it down, and tells whether the object is still the claim's."""


class FreezingHost(Protocol):
    """What freezing asks of its room."""

    @property
    def leaving(self) -> bool:
        """Whether the room is over or about to be."""
        ...

    def abort(self, error: StateroomError) -> None:
        """Throw the room away."""
        ...

    def restart(self) -> None:
        """The instance is gone, and clients may wait for the next."""
        ...


class Freezing:
    """See the module.

    Args:
        host: The room's life.
        lane: Knows whether the object is frozen.
        unit: What is said and written between events.
        residence: Where the instance lives.
    """

    __slots__ = ("_host", "_lane", "_residence", "_unit")

    def __init__(
        self, host: FreezingHost, lane: CommitLane, unit: RunningUnit, residence: Residence
    ) -> None:
        self._host = host
        self._lane = lane
        self._unit = unit
        self._residence = residence

    @property
    def frozen(self) -> bool:
        """Whether the object takes no changes."""
        return self._lane.frozen

    async def set(self, mark: Mark, *, frozen: bool) -> None:
        """Freeze or thaw. It waits for the events under way; those that wait come after it.

        When `mark` does not return, nobody knows what is written, and the room is thrown away.
        Cancelling is safe.

        Raises:
            RoomAborted: The room is over, or was no longer the owner's.
            StateroomError: What `mark` raised.
        """
        async with passage(self._residence.sections.gate):
            self._unit.end_step()
            await self._lane.commit_point()
            if self._host.leaving:
                raise RoomAborted
            try:
                ours = await mark(self._lane.current_claim)
            except BaseException as error:
                self._host.abort(error if isinstance(error, StateroomError) else RoomAborted())
                raise
            if not ours:
                self._host.abort(OwnershipLost())
                raise RoomAborted
            changed = self._lane.frozen is not frozen
            if changed:
                self._lane.frozen = frozen
                self._residence.fault(blamed=False)
        if changed:
            self._host.restart()
