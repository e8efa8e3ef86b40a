"""Clients that have joined a hub, until it is certain that both sides get everything (ADR 7).

A client that starts its synchronizer first asks for the replica's hashes and then announces its
own, which makes the replica pull. A socket object that reconnects by itself says nothing: it is
told and asked. One that asked but never announced anything has been told what the replica has,
yet the replica may lack what the client changed while it was away: it is asked too.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from ..sdk.connection import Connection
from ..sdk.context import Context
from .bodies import CONTENT_HASHES, GET_CONTENT_HASHES

SILENCE_SECONDS: Final = 1.5
"""How long a client may say nothing before it is spoken to."""

ANNOUNCEMENT_SECONDS: Final = 3.5
"""How much longer one that has asked may take until it announces what it has itself."""

PATIENT_SECONDS: Final = 5.0
"""What one that has asked has for its answer: much depends on it, and nothing asks again."""

SPEAKS_FOR_ITSELF: Final = frozenset({GET_CONTENT_HASHES, CONTENT_HASHES})


class Newcomers:
    """See the module.

    Args:
        ctx: Gives timers.
        greet: Tells a client what the replica has, and asks it for what it has. The answer may
            take so many seconds, the request timeout if none are given.
    """

    __slots__ = ("_askers", "_ctx", "_greet", "_silent")

    def __init__(
        self,
        ctx: Context,
        *,
        greet: Callable[[Connection, float | None], Awaitable[None]],
    ) -> None:
        self._ctx = ctx
        self._greet = greet
        self._silent: dict[str, Connection] = {}
        self._askers: dict[str, Connection] = {}

    def came(self, connection: Connection) -> None:
        """A client has joined."""
        self._silent[connection.id] = connection
        self._ctx.call_later(SILENCE_SECONDS, lambda: self._look(connection.id))

    def heard(self, client_id: str, kind: int) -> None:
        """A client has said something of the kinds in `SPEAKS_FOR_ITSELF`."""
        silent = self._silent.pop(client_id, None)
        if kind == CONTENT_HASHES:
            self._askers.pop(client_id, None)
        elif silent is not None:
            self._askers[client_id] = silent

    def forget(self, client_id: str) -> None:
        """A client is gone."""
        self._silent.pop(client_id, None)
        self._askers.pop(client_id, None)

    def _look(self, client_id: str) -> Awaitable[None] | None:
        silent = self._silent.pop(client_id, None)
        if silent is not None:
            return self._greet(silent, None)
        if client_id in self._askers:
            self._ctx.call_later(ANNOUNCEMENT_SECONDS, lambda: self._ask(client_id))
        return None

    def _ask(self, client_id: str) -> Awaitable[None] | None:
        asker = self._askers.pop(client_id, None)
        return None if asker is None else self._greet(asker, PATIENT_SECONDS)
