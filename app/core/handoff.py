"""How a client's socket goes to another worker of this machine, before its handshake.

A socket is accepted by whoever is awake. When its object is held by another worker of the same
machine, the socket itself (a descriptor) and what was read of it go there, and this worker is
out of the way. It is an offer: the other side takes it or says why not, and **nothing is given
away that was not taken**; whatever goes wrong, the socket is still ours and a link serves it.

Whoever offers has let the client in; the taker does not ask that again. Two ports, one for each
side; `app.transport` has the channel between them.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from .ids import ObjectId, WorkerId

Adopt = Callable[[socket.socket, bytes], None]
"""Serves a socket of which these bytes were read. It is not blocking, and is its own from now."""


class HandoffAnswer(Enum):
    """What became of an offer."""

    TAKEN = b"T"
    """It is the other worker's socket now."""
    NOT_MINE = b"N"
    """That worker does not hold the object any more."""
    NOT_NOW = b"L"
    """It cannot be handed over at the moment, or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A socket that another worker would give away.

    Attributes:
        namespace: Of the object that the client wants.
        object_id: The object, in its public form.
        head: Everything that was read of the socket: the request, as the HTTP parser took it.
    """

    namespace: str
    object_id: str
    head: bytes


class Lent(NamedTuple):
    """What can be handed on of a socket; valid in the step in which it was asked for."""

    fileno: int
    head: bytes


class GivableSocket(Protocol):
    """A socket before its handshake, which is not read meanwhile."""

    def lend(self) -> Lent | None:
        """Return what can be handed on; None when it has ended or cannot go elsewhere.

        It cannot once anything was written to it, nor when its encryption ends in this process.
        """
        ...

    def given(self) -> None:
        """It is another worker's now: forget it, without a word to the client."""
        ...


class SocketGiver(Protocol):
    """Hands sockets to other workers of this machine."""

    async def give(
        self, holder: WorkerId, object_id: ObjectId, offered: GivableSocket
    ) -> HandoffAnswer:
        """Offer a socket to a worker and wait, not long, for its answer.

        Never raises. Once it was taken, `offered.given` has been called; that is so too when the
        wait is cancelled.
        """
        ...


class SocketTaker(Protocol):
    """Takes sockets from other workers of this machine. Both calls are made in one step."""

    def answer(self, offer: Offer) -> HandoffAnswer:
        """Say whether it is taken. Never raises."""
        ...

    def adopt(self, client: socket.socket, offer: Offer) -> None:
        """Serve a socket that was taken as if it had been accepted here; it is not blocking."""
        ...
