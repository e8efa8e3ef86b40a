"""What a room asks of the cluster when its object calls another one.

Rooms are made before the cluster around them is complete, so they are given an exchange, to which
the cluster connects its router.
"""

from typing import Any, Protocol

from ..core.errors import Unsupported
from ..core.ids import ObjectId, ObjectIds
from .outgoing import OutgoingCall


class CallLane(Protocol):
    """The way of one stub's calls: they arrive in the order in which they were sent."""

    def send(self, call: OutgoingCall) -> None:
        """Bring a call to its object; how it ends is told to the call. Raises nothing."""
        ...


class CallRouter(Protocol):
    """See the module."""

    @property
    def ids(self) -> ObjectIds:
        """Makes the ids of this cluster."""
        ...

    def class_of(self, namespace: str) -> type[Any]:
        """The class that is mounted.

        Raises:
            NamespaceUnknown: There is none.
        """
        ...

    def lane(self, target: ObjectId) -> CallLane:
        """A way for the calls of one stub."""
        ...

    def new_id(self) -> str:
        """The name of another call; no other one in the cluster has it."""
        ...

    def waiting(self, call: OutgoingCall) -> None:
        """The current event of an object has begun to wait for this call."""
        ...

    def waited(self, call: OutgoingCall) -> None:
        """It waits no more."""
        ...


class CallExchange:
    """Where the router is connected, once."""

    def __init__(self) -> None:
        self._router: CallRouter | None = None

    def connect(self, router: CallRouter) -> None:
        """Let calls go this way."""
        self._router = router

    @property
    def router(self) -> CallRouter:
        """The way for calls.

        Raises:
            Unsupported: Nothing is connected.
        """
        if self._router is None:
            raise Unsupported("objects cannot be called here")
        return self._router
