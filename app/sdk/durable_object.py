"""The base class of every object.

Mount a subclass as a namespace and each name in it is an object of its own, with private
storage, that exists for ever. One event runs at a time, to its end, and is all or nothing: when
a hook raises, its writes and sends since the last commit point are undone and the instance is
built again from storage. A class that says `interleave = True` follows the input gates of
Durable Objects in both instead (docs/guides/gates.md).

A hook may be a plain function (`def on_message`) or a coroutine function. A plain one runs
without any task switch when nothing else waits, which is the cheapest an event can be.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

from ..core.errors import ProtocolViolated
from .alarms import AlarmInfo
from .connection import Connection
from .context import Context
from .messages import Request, Response
from .multiplexing import SocketMultiplexer
from .past import Past

_NOT_FOUND = 404


class DurableObject:
    """Subclass this and override the hooks you need.

    Attributes:
        ctx: Identity, storage, connections and time.
        interleave: Whether other events may run while one waits for anything but storage, as on
            Durable Objects. None runs while one waits for a read of storage, or is in a
            transaction or a `block_concurrency_while`. An event that raises is then not undone:
            what it wrote and said before stays, and so does the instance.
        idle_seconds: After this time without an event the instance is dropped and its sockets
            are kept (hibernation); None takes the service's setting.
        event_timeout_seconds: How long one event may take, `on_start` included; None takes the
            service's setting. `on_alarm` has its own bound.
        multiplexers: Subprotocol name to the maker of the splitter that a socket negotiating it
            gets (see `SocketMultiplexer`). The first offered one that stands here is chosen.
        wakes_on_close: Whether a hibernated object is woken to run `on_error` and `on_close`.
        resumes: Whether a channel of a multiplexed socket is brought to the object's next room
            when this one goes away (its worker died, drained, or lost the object). The client
            hears nothing of it, so `on_connect` with `request.resumed` must make it say again
            what the former room may not have taken, and tell it what it may have missed. Without
            it the socket is closed, and the client comes back by itself.
        hook_names: Names of further hooks that a class has for its subclasses, beside those that
            begin with `on_`: nobody can call them from outside.
        streams_requests: Whether `on_request` gets a request as soon as its head is there, and
            reads the body while it comes (`Request.stream`); else it gets it with its body.
        guards_storage: Whether what the class stores is in a form of its own, which few can write
            by hand: operators who change a single key must then say that they mean it (`force`).
        overflow_reason: The close reason of a client that reads too slowly (code 1013).
    """

    interleave: ClassVar[bool] = False
    idle_seconds: ClassVar[float | None] = None
    event_timeout_seconds: ClassVar[float | None] = None
    multiplexers: ClassVar[Mapping[str, Callable[[], SocketMultiplexer]]] = {}
    wakes_on_close: ClassVar[bool] = True
    resumes: ClassVar[bool] = False
    hook_names: ClassVar[frozenset[str]] = frozenset()
    streams_requests: ClassVar[bool] = False
    guards_storage: ClassVar[bool] = False
    overflow_reason: ClassVar[str] = "overloaded"

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    @classmethod
    def check_settings(cls, settings: Mapping[str, str]) -> str | None:
        """Say what is wrong with the options a namespace is mounted with; None when all is well.

        Called once at start-up, so that a misspelt option is an error and not a surprise.
        """
        del settings
        return None

    def on_start(self) -> Awaitable[None] | None:
        """Run before the first event of each instance: read from storage what you keep in memory.

        When it raises, the event that woke the object fails and the next one starts it again.
        """

    def on_connect(self, connection: Connection, request: Request) -> Awaitable[None] | None:
        """A client's socket was accepted; `connection.close()` here turns it away."""

    def on_message(self, connection: Connection, message: str | bytes) -> Awaitable[None] | None:
        """A client sent a message: `str` for text, `bytes` for binary."""

    def on_close(
        self,
        connection: Connection,
        code: int,
        reason: str,
        clean: bool,  # noqa: FBT001 - the field's order of arguments
    ) -> Awaitable[None] | None:
        """A socket ended, once for every accepted one; it is no longer in `connections()`.

        `clean` is False when the client vanished without a close frame (code 1006), or broke the
        protocol (`on_error` was run before). A room that ends itself (it moves, its worker
        stops or dies) closes its sockets and runs nothing for them.
        """

    def on_error(self, connection: Connection, error: ProtocolViolated) -> Awaitable[None] | None:
        """A client broke the WebSocket protocol, and its socket is closed; `on_close` follows."""

    def on_request(self, request: Request) -> Awaitable[Response] | Response:
        """Answer an HTTP request."""
        del request
        return Response(status=_NOT_FOUND, body="this object answers no requests")

    def on_alarm(self, info: AlarmInfo) -> Awaitable[None] | None:
        """The time has come that was set with `ctx.storage.set_alarm`. May take 15 minutes.

        The alarm is gone when the event ends well, unless it was set again meanwhile. When the
        event raises it is run again after 2 s, 4 s, 8 s and so on, six times at most. See
        `sdk.alarms` for what is promised.
        """

    def on_evict(self, reason: str) -> Awaitable[None] | None:
        """The instance is about to be dropped; best effort, nothing may depend on it.

        Args:
            reason: `idle`: it rests. `draining`: another worker will have the object, or an
                operator has it given up. `deleted`: an operator deletes the object.
        """

    def on_restore(self, past: Past) -> Awaitable[None] | None:
        """The object is to be what it was at `past` (docs/guides/time-travel.md).

        A class that does not override this gets its rows back as they were then, in one commit;
        the instance is dropped, the sockets stay, and the next instance starts from those rows.
        A class that does override it decides itself: nothing is changed but what the hook
        writes, the instance goes on, and everything the hook does is one event. Alarms are not
        touched either way.
        """
