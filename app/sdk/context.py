"""What an object is given: its identity, storage, connections and time."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, NoReturn, Protocol, TypeVar, overload

from ..core.clock import Timer
from ..core.frames import TextParts
from ..core.ids import ObjectId
from .connection import Connection
from .namespace import Namespace, ObjectT, TypedNamespace
from .storage import Storage

ResultT = TypeVar("ResultT")

Callback = Callable[[], Awaitable[None] | None]
"""A plain or coroutine function without parameters."""


class Context(Protocol):
    """`self.ctx` of a DurableObject. Good for the life of one instance."""

    @property
    def id(self) -> ObjectId:
        """Who this object is; `id.name` is the name it was reached by."""
        ...

    @property
    def storage(self) -> Storage:
        """The object's private storage."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """The options of the namespace as mounted: `...:Class?sync=relay` gives `sync`."""
        ...

    @property
    def durability(self) -> str:
        """`commit`, `relaxed` or `none`, as the namespace is mounted."""
        ...

    @property
    def after_fault(self) -> bool:
        """Whether this instance takes the place of one whose event raised.

        What that one kept in memory alone, such as timers and questions to its clients, is lost,
        and its clients have noticed nothing.
        """
        ...

    @property
    def frozen(self) -> bool:
        """Whether an operator has frozen the object: every write raises `ObjectFrozen`.

        It stays the same for the life of this instance: when the object is frozen or thawed,
        another instance takes its place (then `after_fault` is true too). An `on_start` that
        writes must look here first, or a frozen object cannot be read. Alarms wait meanwhile.
        """
        ...

    def connections(
        self,
        tag: str | None = None,
        *,
        all_of: Collection[str] = (),
        any_of: Collection[str] = (),
    ) -> list[Connection]:
        """The open connections in the order they joined, all or those with the tags."""
        ...

    def set_auto_response(self, request: str | None = None, response: str | None = None) -> None:
        """Answer the text `request` of any client with `response`, without an event.

        The answer is given at once, also while the object sleeps, is busy or waits for a commit;
        `on_message` does not hear the request. Only a text that is exactly the same is answered.
        Without arguments nothing is answered any more. The pair is the live object's, not stored:
        set it in `on_start`. It is kept when the instance is dropped.

        Raises:
            TypeError: Only one of them is given, or one is no text.
            ValueError: One of them has more than 2,048 bytes.
        """
        ...

    def get_auto_response(self) -> tuple[str, str] | None:
        """Return the pair that was set, or None."""
        ...

    def broadcast(
        self,
        message: str | bytes | TextParts,
        *,
        exclude: Connection | None = None,
        tag: str | None = None,
    ) -> None:
        """Send to every connection that is open now; ordered and gated as `Connection.send`."""
        ...

    def call_later(self, seconds: float, callback: Callback) -> Timer:
        """Run `callback` as an event of this object after `seconds`.

        It is kept in memory only: a pending call keeps the object from hibernating and is lost
        with the instance. It is atomic like every event.
        """
        ...

    def block_concurrency_while(
        self, callback: Callable[[], Awaitable[ResultT]]
    ) -> Awaitable[ResultT]:
        """Run `callback` while nothing else of this object runs; awaiting gives what it returns.

        It begins whether or not it is awaited, also in `__init__`, and the event or the start that
        began it does not end before it. Neither a new event nor code of another one that waits
        for something goes on meanwhile. Sections begun in one event run one after the other; they
        may be nested, 64 deep.

        A callback that raises, or takes longer than 30 seconds, resets the object: what it has
        committed stays, and whoever waits for it gets the error. The code that awaits the
        callback is unwound, and does not see the error.

        Raises:
            RuntimeError: They are nested too deep. Nothing has happened.
        """
        ...

    def wait_until(self, work: Awaitable[Any]) -> None:
        """Go on with `work` after the event, which does not wait for it.

        It keeps the object in memory for 15 minutes at most, and is cancelled when the instance
        goes. Between two awaits it runs between events, and what it writes and says there is a
        unit of its own: committed together, and never undone with an event that raises. An
        exception of it is logged and harms nothing.

        Raises:
            Overloaded: 1,000 such works are not over.
        """
        ...

    def set_message_timeout(self, milliseconds: int | None = None) -> None:
        """Set how long `on_message` may take for messages that come from now on.

        It holds for the object while this worker holds it, hibernation included. 0 or None lets
        a message take as long as any event. What takes longer is cut off where it awaits, undone
        and counted as a fault of the object.

        Raises:
            ValueError: It is negative, or over 604,800,000 (seven days).
        """
        ...

    @overload
    def namespace(self, name: str) -> Namespace: ...

    @overload
    def namespace(self, name: str, cls: type[ObjectT]) -> TypedNamespace[ObjectT]: ...

    def namespace(self, name: str, cls: type[Any] | None = None) -> Any:
        """The objects of a mounted class, this one's included, to be called by their stubs.

        Args:
            name: As mounted.
            cls: The class, or one that it is derived from: then stubs have its type, and a type
                checker knows their methods.

        Raises:
            NamespaceUnknown: Nothing is mounted under that name.
            TypeError: Another class is.
        """
        ...

    def now(self) -> int:
        """Milliseconds since 1970 by the database's clock, the same for all workers.

        It never goes back and does not depend on this machine's clock.
        """
        ...

    def monotonic(self) -> float:
        """Seconds for measuring intervals on this worker."""
        ...

    def random_bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""
        ...

    async def offload(self, work: Callable[[], ResultT]) -> ResultT:
        """Run a long plain computation in a thread, and go on with its result.

        Nothing else of this object runs meanwhile, unless its class interleaves; other objects
        do. The work must keep to what this object alone holds, and use neither storage nor
        connections. A worker does one such work at a time.
        """
        ...

    async def breathe(self) -> None:
        """Let other objects run for a moment, in the middle of a long loop of this event."""
        ...

    def log(self, event: str, **fields: object) -> None:
        """Write a log line that carries the object's identity. Log no payloads."""
        ...

    def abort(
        self, reason: str = "the object called abort", *, retry_alarm: bool = True
    ) -> NoReturn:
        """Throw this instance away now.

        Unconfirmed writes of the running event are lost and every socket is closed with 1012.
        It raises an exception that no `except Exception` catches.

        An alarm whose `on_alarm` runs at this moment has failed that run: it is retried as if
        the run had raised, after growing pauses and six times at most. With `retry_alarm=False`
        it is dropped (of a series, this one time). What was set anew under its name and
        committed meanwhile is kept either way.
        """
        ...
