"""The half of `TinyBaseRoom` that takes back clients which lost its former room unawares.

Only a hub sees to it that both sides have everything again: it pulls from the client, then
answers what the client has asked meanwhile, then tells it the replica's hashes, so that the
client pulls. Where clients compare among themselves they have to begin anew: theirs is the rule
that a lost server closes the socket.
"""

import weakref
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from functools import partial
from typing import Any

from ..sdk.connection import Connection
from ..sdk.context import Context
from .large import is_large
from .replica import Replica
from .returning import COME_BACK, MARK, Returning
from .routing import SyncMode
from .synchronizer import Outcome, Synchronizer
from .timetable import Timetable
from .wire import Message


class ResumedClients(ABC):
    """See the module."""

    ctx: Context
    _mode: SyncMode | None
    _replica: Replica | None
    _returning: Returning | None
    _sync: Synchronizer | None
    _timetable: Timetable

    @abstractmethod
    def _say(self, outcome: Outcome) -> None:
        """Send what the replica says."""

    @abstractmethod
    def _take(
        self, connection: Connection, message: Message, originals: tuple[str, ...] | None
    ) -> Coroutine[Any, Any, None] | None:
        """Let the replica have a message, and pass it on."""

    def _resume(self, connection: Connection) -> None:
        """Take a client in that does not know of it."""
        if self._mode is SyncMode.HUB and self._sync is not None:
            self._sync.left(connection.id)  # what it may have been asked over a link that broke
            self._needed_returning().came(connection)
        else:
            connection.close(*COME_BACK)

    def _recall_returning(self) -> None:
        """Go on with those whom a former instance of the room had not compared with."""
        if self.ctx.connections(tag=MARK):
            self._needed_returning().recall()

    def _needed_returning(self) -> Returning:
        """Made by the first who needs it: most rooms never do."""
        if self._returning is None:
            # Held weakly, or the content of a room that is left would wait for the collector.
            me = weakref.proxy(self)
            self._returning = Returning(
                self.ctx,
                self._timetable,
                compare=lambda connection: me._compare(connection),  # noqa: PLW0108, SLF001 - a bound method is no weak one
                answer=lambda connection, held: me._answer_late(connection, held),  # noqa: PLW0108, SLF001 - likewise
            )
        return self._returning

    def _compare(self, connection: Connection) -> None:
        """Pull from a client, unless that is under way."""
        if (sync := self._sync) is None:
            return
        if is_large(self._replica):
            self.ctx.call_later(0.0, partial(self._compare_beside, connection))
        else:
            self._say(sync.compare(connection.id, self.ctx.monotonic()))

    def _answer_late(self, connection: Connection, questions: list[Message]) -> None:
        """The replica has what a returning client had: now it tells what it has itself."""
        if (sync := self._sync) is None or not connection.open:
            return
        if is_large(self._replica):
            self.ctx.call_later(0.0, partial(self._answer_beside, connection, questions))
            return
        for question in questions:
            self._take(connection, question, None)
        self._say(sync.announce_to(connection.id))

    async def _compare_beside(self, connection: Connection) -> None:
        if (sync := self._sync) is not None:
            now = self.ctx.monotonic()
            self._say(await self.ctx.offload(partial(sync.compare, connection.id, now)))

    async def _answer_beside(self, connection: Connection, questions: list[Message]) -> None:
        for question in questions:
            if (answering := self._take(connection, question, None)) is not None:
                await answering
        if (sync := self._sync) is not None and connection.open:
            self._say(await self.ctx.offload(partial(sync.announce_to, connection.id)))
