"""One live object: the shell that joins the engine's parts.

A room holds the object's ownership (its claim), its commit lane, its sockets and at most one
instance of the author's class. The instance may come and go (hibernation, faults); sockets,
claim and committed cache stay. When a gate breaks, the whole room is thrown away.
"""

from collections.abc import Awaitable, Callable, Sequence

from ..core.errors import LeaseLost, Overloaded, QuotaExceeded, RoomAborted, StateroomError
from ..core.frames import OutgoingMessage
from ..core.sockets import SocketTransport
from ..core.values import Receipt
from ..sdk.durable_object import DurableObject
from ..sdk.messages import Request, Response
from .admission import Origin
from .asking import Question
from .closing import Ending
from .connections import RoomConnection
from .endings import Endings
from .outputs import Close, Output, Send
from .shell import Shell


class Room(Shell):
    """See the module, and `Shell` for how one is made."""

    __slots__ = ()

    # -- what the registry asks ----------------------------------------------------------------

    async def wake(self) -> None:
        """Make sure that there is an instance.

        Raises:
            StateroomError: It could not be started, or the room is over.
        """
        if not self.awake:
            await self.asking.ask(_do_nothing)

    def join(
        self, request: Request, transport: SocketTransport, connection_id: str
    ) -> RoomConnection:
        """Take a socket in; `on_connect` follows as an event.

        Raises:
            Overloaded: The room has as many sockets as it may.
            QuotaExceeded: The object has cost more than it may.
            RoomAborted: The room is over or about to be.
        """
        if self._life.leaving:
            raise RoomAborted
        if self.lane.meter.refusing:
            raise QuotaExceeded.until(self.lane.meter.refusing)
        if len(self.members) >= self._limits.connections:
            raise Overloaded(f"the object has {len(self.members)} connections")
        connection = RoomConnection(
            self,
            connection_id=connection_id,
            serial=self.members.next_serial(),
            transport=transport,
        )
        connection.came_by(request, self._residence.now_ms())
        self.members.add(connection)
        self._submit(
            lambda instance: instance.on_connect(connection, request),
            fail=lambda error: self._life.ends.refuse(connection, error),
            always=True,
        )
        return connection

    async def request(self, request: Request) -> tuple[Response, Receipt]:
        """Run `on_request`; the answer comes after every write it could reveal is committed.

        Raises:
            StateroomError: The object failed, the room ended, or its mailbox is full.
        """
        response: Response = await self.put_request(request).answer
        return response, self.lane.receipt

    def put_request(self, request: Request) -> Question:
        """Queue `on_request`; the question says how it ended, and whether it had begun."""
        hook = self.calls.streams.answering(request, self.lane.meter)
        return self.asking.put(hook, size_bytes=len(request.body), origin=Origin.REQUEST)

    @property
    def idle_seconds(self) -> float:
        """After how long without an event the instance is dropped."""
        own: float | None = self.mount.cls.idle_seconds
        return self._limits.idle_seconds if own is None else own

    async def hibernate(self) -> None:
        """See `RoomLife.hibernate`; then sleep."""
        await self._life.hibernate()
        self.sleep()

    async def leave(self, *, draining: bool, ending: Ending | None = None) -> None:
        """See `RoomLife.leave`."""
        await self._life.leave(draining=draining, ending=ending)

    def abort(self, error: StateroomError) -> None:
        """See `PartsHost.abort`."""
        self._life.abort(error)

    # -- sockets (ConnectionHost) --------------------------------------------------------------

    def take_message(self, connection: RoomConnection, message: str | bytes) -> None:
        """Run `on_message` now if nothing waits, else queue it. The hottest path of all."""
        # First, for it is no event: it neither wakes the object nor keeps it awake.
        if self._auto.pair is not None and self._auto.answers(connection, message):
            return
        self.touched = True
        instance = self._residence.instance
        if (
            instance is not None
            and self._plain_message
            and not connection.deaf
            and not self.lane.congested
            and self._events.run_inline(instance.on_message, connection, message)
        ):
            return
        if self._life.leaving or (connection.deaf and not self._events.running):
            return
        self._submit(
            lambda current: None if connection.deaf else current.on_message(connection, message),
            size_bytes=len(message),
            fail=lambda error: self._life.ends.refuse(connection, error),
            uncounted=not self._brake.stopped(connection),
            timeout_seconds=self._events.message_timeout_seconds,
            origin=Origin.MESSAGE,
        )
        self._brake.test(connection)

    def take_end(self, connection: RoomConnection, code: int, reason: str, *, clean: bool) -> None:
        """Forget a socket; what the object hears of it follows in events of their own, once."""
        self.members.remove(connection)
        if self._slept is None:
            self._brake.forget(connection)
        if self._unheard:
            connection.forget()
        else:
            Endings(self._traits, self._submit).tell(connection, code, reason, clean=clean)

    @property
    def held_bytes(self) -> int:
        """See `ConnectionHost.held_bytes`."""
        return 0 if self._slept is not None else self.lane.gate.held_bytes

    def stage_send(self, connection: RoomConnection, message: OutgoingMessage) -> None:
        """Make a send part of the running unit."""
        self._unit.stage(Send(connection, message))

    def stage_close(self, connection: RoomConnection, code: int, reason: str) -> None:
        """Make a close part of the running unit."""
        self._unit.stage(Close(connection, code, reason))

    def remember(self, what: object, put_back: Callable[[], None]) -> None:
        """See `RunningUnit.remember`."""
        self._unit.remember(what, put_back)

    @property
    def _unheard(self) -> bool:
        """Whether nobody is told of the end of a socket."""
        if not self._traits.wakes_on_close and (
            self._slept is not None or (self._residence.instance is None and self._events.free)
        ):
            return True
        return self._life.leaving

    # -- its parts (PartsHost) -----------------------------------------------------------------

    def admit(self) -> None:
        """See `PartsHost.admit`."""
        self.touched = True
        self._life.check()

    def alive(self) -> bool:
        """See `PartsHost.alive`."""
        return not self._life.closed

    def take_timer(self, callback: Callable[[], Awaitable[None] | None]) -> None:
        """See `PartsHost.take_timer`."""
        self._submit(lambda _instance: callback(), fail=_ignore, always=True)

    def deliver(self, outputs: Sequence[Output]) -> None:
        """See `PartsHost.deliver`."""
        if self._lease.holds():
            self._delivery.deliver(outputs)
        else:
            self.abort(LeaseLost())


def _ignore(_error: Exception) -> None:
    """The engine has logged it; nobody else waits for this event."""


def _do_nothing(_instance: DurableObject) -> None:
    """An event that only needs the instance to be there."""
