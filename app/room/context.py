"""The sdk's `Context` for one instance of an object."""

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, NoReturn, Protocol, TypeVar

import structlog

from ..core.clock import Clock, DatabaseClock, Timer
from ..core.errors import RoomAborted
from ..core.frames import OutgoingMessage, TextParts, outgoing
from ..core.ids import ObjectId
from ..core.limits import MESSAGE_TIMEOUT_MS
from ..core.mounts import Mount
from ..core.workshop import Workshop, breathe
from ..sdk.connection import Connection
from ..sdk.namespace import Namespace
from .auto_response import AutoResponder, auto_response
from .background import discard
from .connections import ConnectionSet, RoomConnection
from .faults import InstanceAborted
from .outputs import Broadcast, Output
from .storage import RoomStorage

ResultT = TypeVar("ResultT")

_log = structlog.get_logger("stateroom.object")

_OVER = "this instance of the object is over"


class ContextHost(Protocol):
    """What a context asks of its room."""

    def stage(self, output: Output) -> None:
        """Make an output part of the running unit."""
        ...

    def run_later(self, seconds: float, callback: Callable[[], Awaitable[None] | None]) -> Timer:
        """Run a callback as an event."""
        ...

    def block_concurrency_while(
        self, callback: Callable[[], Awaitable[ResultT]]
    ) -> Awaitable[ResultT]:
        """Run a callback as a critical section."""
        ...

    def wait_until(self, work: Awaitable[Any]) -> None:
        """Run something beside the events."""
        ...

    def limit_messages(self, seconds: float | None) -> None:
        """Set how long the event of a message may take."""
        ...

    def abort(self, reason: str, *, retry_alarm: bool) -> None:
        """Throw the room away."""
        ...

    def namespace(self, name: str, cls: type[Any] | None) -> Namespace:
        """The objects of a namespace, to be called."""
        ...

    @property
    def auto(self) -> AutoResponder:
        """What answers by itself."""
        ...


class _NoHost:
    """What the context of a dropped instance speaks to."""

    def stage(self, output: Output) -> None:
        del output
        raise RoomAborted(_OVER)

    def run_later(self, seconds: float, callback: Callable[[], Awaitable[None] | None]) -> Timer:
        del seconds, callback
        raise RoomAborted(_OVER)

    def block_concurrency_while(
        self, callback: Callable[[], Awaitable[ResultT]]
    ) -> Awaitable[ResultT]:
        del callback
        raise RoomAborted(_OVER)

    def wait_until(self, work: Awaitable[Any]) -> None:
        discard(work)
        raise RoomAborted(_OVER)

    def limit_messages(self, seconds: float | None) -> None:
        del seconds
        raise RoomAborted(_OVER)

    def abort(self, reason: str, *, retry_alarm: bool) -> None:
        """There is nothing left to throw away."""

    def namespace(self, name: str, cls: type[Any] | None) -> Namespace:
        del name, cls
        raise RoomAborted(_OVER)

    @property
    def auto(self) -> AutoResponder:
        raise RoomAborted(_OVER)


class RoomContext:
    """See `sdk.Context` for the contract of each call."""

    __slots__ = (
        "_clock",
        "_database_clock",
        "_host",
        "_members",
        "_mount",
        "_workshop",
        "after_fault",
        "frozen",
        "id",
        "storage",
    )

    def __init__(
        self,
        host: ContextHost,
        *,
        object_id: ObjectId,
        mount: Mount,
        storage: RoomStorage,
        members: ConnectionSet,
        clock: Clock,
        database_clock: DatabaseClock,
        workshop: Workshop,
        after_fault: bool,
        frozen: bool,
    ) -> None:
        self._host: ContextHost = host
        self._mount = mount
        self._members = members
        self._clock = clock
        self._database_clock = database_clock
        self._workshop = workshop
        self.id = object_id
        self.storage = storage
        self.after_fault = after_fault
        self.frozen = frozen

    def end(self) -> None:
        """The instance is over: whoever still holds its context gets RoomAborted from it."""
        self._host = _NoHost()
        self.storage.end()

    @property
    def settings(self) -> Mapping[str, str]:
        """See `sdk.Context.settings`."""
        return self._mount.settings

    @property
    def durability(self) -> str:
        """See `sdk.Context.durability`."""
        return self._mount.durability.value

    def connections(
        self,
        tag: str | None = None,
        *,
        all_of: Collection[str] = (),
        any_of: Collection[str] = (),
    ) -> list[Connection]:
        """See `sdk.Context.connections`."""
        return list(self._members.select(tag, all_of, any_of))

    def set_auto_response(self, request: str | None = None, response: str | None = None) -> None:
        """See `sdk.Context.set_auto_response`."""
        self._host.auto.set(auto_response(request, response))

    def get_auto_response(self) -> tuple[str, str] | None:
        """See `sdk.Context.get_auto_response`."""
        pair = self._host.auto.pair
        return None if pair is None else (pair.request, pair.response)

    def broadcast(
        self,
        message: str | bytes | TextParts,
        *,
        exclude: Connection | None = None,
        tag: str | None = None,
    ) -> None:
        """See `sdk.Context.broadcast`."""
        left_out = exclude if isinstance(exclude, RoomConnection) else None
        members = self._members
        if members.has_others(left_out):
            # Whoever carries the tag now: it may be another's when the gate lets the message go.
            only = None if tag is None else frozenset(members.select(tag, (), ()))
            # Text is what nearly all messages are, and a call is what costs.
            leaving = OutgoingMessage(message) if type(message) is str else outgoing(message)
            self._host.stage(Broadcast(leaving, left_out, members.latest_serial, only))

    def call_later(self, seconds: float, callback: Callable[[], Awaitable[None] | None]) -> Timer:
        """See `sdk.Context.call_later`."""
        host = self._host

        def run() -> Awaitable[None] | None:
            # It may have been queued when an event before it raised and the instance went.
            return callback() if self._host is host else None

        return host.run_later(seconds, run)

    def block_concurrency_while(
        self, callback: Callable[[], Awaitable[ResultT]]
    ) -> Awaitable[ResultT]:
        """See `sdk.Context.block_concurrency_while`."""
        return self._host.block_concurrency_while(callback)

    def wait_until(self, work: Awaitable[Any]) -> None:
        """See `sdk.Context.wait_until`."""
        self._host.wait_until(work)

    def set_message_timeout(self, milliseconds: int | None = None) -> None:
        """See `sdk.Context.set_message_timeout`."""
        if milliseconds is not None and not 0 <= milliseconds <= MESSAGE_TIMEOUT_MS:
            problem = f"a message's time-out is 0 to {MESSAGE_TIMEOUT_MS} ms, not {milliseconds}"
            raise ValueError(problem)
        self._host.limit_messages(milliseconds / 1000 if milliseconds else None)

    def namespace(self, name: str, cls: type[Any] | None = None) -> Any:
        """See `sdk.Context.namespace`."""
        return self._host.namespace(name, cls)

    def now(self) -> int:
        """See `sdk.Context.now`."""
        return self._database_clock.now_ms()

    def monotonic(self) -> float:
        """See `sdk.Context.monotonic`."""
        return self._clock.monotonic()

    def random_bytes(self, count: int) -> bytes:
        """See `sdk.Context.random_bytes`."""
        return secrets.token_bytes(count)

    async def offload(self, work: Callable[[], ResultT]) -> ResultT:
        """See `sdk.Context.offload`."""
        return await self._workshop.run(work)

    async def breathe(self) -> None:
        """See `sdk.Context.breathe`."""
        await breathe()

    def log(self, event: str, **fields: object) -> None:
        """See `sdk.Context.log`."""
        _log.info(event, namespace=self.id.namespace, object=self.id.name or str(self.id), **fields)

    def abort(
        self, reason: str = "the object called abort", *, retry_alarm: bool = True
    ) -> NoReturn:
        """See `sdk.Context.abort`."""
        self._host.abort(reason, retry_alarm=retry_alarm)
        raise InstanceAborted(reason)
