"""Clients that lost their room without knowing it, until the replica has compared with them.

What such a client said last may never have been taken. It does not know, and counts an answer to
a later question as a receipt for all that it sent before. So it gets no answer until a pull from
it has succeeded: from then on the replica has what the client had. One that asks and does not let
itself be compared with is sent to begin anew. The mark is the connection's own, so that it is
still there when the instance slept or failed meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ..sdk.connection import Connection
from ..sdk.context import Context
from .bodies import (
    GET_CELL_DIFF,
    GET_CONTENT_HASHES,
    GET_ROW_DIFF,
    GET_TABLE_DIFF,
    GET_VALUE_DIFF,
)
from .timetable import Timetable
from .wire import Message

COME_BACK: Final = (1012, "service restart")
HELD_QUESTIONS: Final = 100
HELD_SECONDS: Final = 30.0

MARK: Final = "tinybase:returning"
_QUESTIONS: Final = frozenset(
    {GET_CONTENT_HASHES, GET_TABLE_DIFF, GET_ROW_DIFF, GET_CELL_DIFF, GET_VALUE_DIFF}
)


@dataclass(slots=True)
class _Client:
    connection: Connection
    held: list[Message] = field(default_factory=list)
    since: float = 0.0
    """When the first of the held questions came."""


class Returning:
    """See the module.

    Args:
        ctx: Knows who is connected.
        timetable: Looks at the deadlines.
        compare: Begins a pull from a client, unless one is under way.
        answer: Answers what was held, and tells the client the replica's hashes.
    """

    __slots__ = ("_answer", "_compare", "_ctx", "_timetable", "clients")

    def __init__(
        self,
        ctx: Context,
        timetable: Timetable,
        *,
        compare: Callable[[Connection], None],
        answer: Callable[[Connection, list[Message]], None],
    ) -> None:
        self._ctx = ctx
        self._timetable = timetable
        self._compare = compare
        self._answer = answer
        self.clients: dict[str, _Client] = {}
        """Those that are not compared with yet, by id; looked at for every message."""

    def recall(self) -> None:
        """Go on where a former instance of the same room stopped."""
        for connection in self._ctx.connections(tag=MARK):
            self.came(connection)

    def came(self, connection: Connection) -> None:
        """A client has come back unawares: compare with it."""
        connection.tag(MARK)
        self.clients[connection.id] = _Client(connection)
        self._compare(connection)

    def takes(self, connection: Connection, message: Message) -> bool:
        """Whether the message is a question that has to wait.

        Whatever the client says shows that it would answer now.
        """
        client = self.clients.get(connection.id)
        if client is None:
            return False
        self._compare(connection)
        if message.kind not in _QUESTIONS:
            return False
        if not client.held:
            client.since = self._timetable.now()
            self._timetable.wake_at(client.since + HELD_SECONDS, self._expire)
        client.held.append(message)
        if len(client.held) > HELD_QUESTIONS:
            self._send_away(client)
        return True

    def compared(self, client_id: str) -> None:
        """A pull from the client has succeeded."""
        client = self.clients.pop(client_id, None)
        if client is not None:
            client.connection.untag(MARK)
            self._answer(client.connection, client.held)

    def forget(self, client_id: str) -> None:
        """The client is gone."""
        self.clients.pop(client_id, None)

    def _expire(self) -> None:
        now = self._timetable.now()
        waiting = [client for client in self.clients.values() if client.held]
        for client in waiting:
            if client.since + HELD_SECONDS <= now:
                self._send_away(client)
            else:
                self._timetable.wake_at(client.since + HELD_SECONDS, self._expire)

    def _send_away(self, client: _Client) -> None:
        self.forget(client.connection.id)
        client.connection.close(*COME_BACK)
