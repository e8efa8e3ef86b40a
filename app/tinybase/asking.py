"""The half of `TinyBaseRoom` that asks its clients what they have, of its own accord."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

from ..sdk.connection import Connection
from ..sdk.context import Context
from .large import is_large
from .replica import Replica
from .synchronizer import Outcome, Synchronizer


class AsksClients(ABC):
    """See the module."""

    ctx: Context
    _replica: Replica | None
    _sync: Synchronizer | None

    @abstractmethod
    def _say(self, outcome: Outcome) -> None:
        """Send what the replica says."""

    @abstractmethod
    async def _beside_if_large(self, work: Callable[[], Outcome]) -> Outcome:
        """Ask the replica something of the room's own accord."""

    async def _greet(self, connection: Connection, patience_seconds: float | None) -> None:
        """Tell a client that does not speak for itself what the replica has, and ask it."""
        if (sync := self._sync) is not None:
            now = self.ctx.monotonic()
            outcome = await self._beside_if_large(
                partial(sync.start, now, patience_seconds=patience_seconds)
            )
            self._say(
                Outcome(sends=[send._replace(recipient=connection.id) for send in outcome.sends])
            )

    def _ask_who_is_there(self) -> None:
        if is_large(self._replica):
            self.ctx.call_later(0.0, self._ask_everybody)
        elif (sync := self._sync) is not None:
            self._say(sync.start(self.ctx.monotonic()))

    async def _ask_everybody(self) -> None:
        if (sync := self._sync) is not None:
            self._say(await self._beside_if_large(partial(sync.start, self.ctx.monotonic())))

    async def _expire_questions(self) -> None:
        if (sync := self._sync) is not None:
            self._say(await self._beside_if_large(partial(sync.expire, self.ctx.monotonic())))
