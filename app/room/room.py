"""One live object: the shell that joins the engine's parts.

A room holds the object's ownership (its claim), its commit lane, its sockets and at most one
instance of the author's class. The instance may come and go (hibernation, faults); sockets,
claim and committed cache stay. When a gate breaks, the whole room is thrown away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from ..core.errors import LeaseLost, Overloaded, RoomAborted, StateroomError
from ..core.frames import OutgoingMessage
from ..core.mounts import Mount
from ..core.sockets import SocketTransport
from ..core.values import Claim, Receipt
from ..sdk.durable_object import DurableObject
from ..sdk.messages import Request, Response
from .closing import GOING_AWAY, close_for
from .commits import CommitLane
from .connections import ConnectionSet, RoomConnection
from .environment import RoomEnvironment
from .events import EventLoop, as_fault
from .instance import ClassTraits, finish
from .mailbox import Event, Mailbox
from .outputs import Close, Output, OutputDelivery, Release, Send
from .residence import Residence
from .states import CLOSED_STATES, LEAVING_STATES, RoomState, move
from .unit import RunningUnit

_log = structlog.get_logger("stateroom.room")


class Room:
    """See the module.

    Args:
        mount: The namespace's class and settings.
        environment: What all rooms of the worker share.
        claim: The ownership, made just before.
        gone: Called once when the room is over; the registry forgets it.
    """

    def __init__(
        self,
        *,
        mount: Mount,
        environment: RoomEnvironment,
        claim: Claim,
        gone: Callable[["Room"], None],
    ) -> None:
        limits = environment.limits
        self.object_id = claim.object_id
        self.mount = mount
        self.state = RoomState.LOADING
        self.members = ConnectionSet()
        self.touched = True
        self.lane = CommitLane(
            claim=claim,
            committer=environment.committer,
            durability=mount.durability,
            limits=limits,
            clock=environment.clock,
            deliver=self._deliver,
            failed=self.abort,
            progress=self._relieve,
        )
        self._environment = environment
        self._limits = limits
        self._gone = gone
        self._traits = ClassTraits.of(mount.cls)
        self._mailbox = Mailbox(
            limit_events=limits.mailbox_events, limit_bytes=limits.mailbox_bytes
        )
        self._events = EventLoop(
            self, self._mailbox, environment.tasks, timeout_seconds=limits.event_timeout_seconds
        )
        self._unit = RunningUnit(
            self.lane,
            in_event=lambda: self._events.running,
            alive=lambda: self.state not in CLOSED_STATES,
        )
        self._residence = Residence(
            mount=mount,
            environment=environment,
            lane=self.lane,
            unit=self._unit,
            members=self.members,
            fire=self._take_timer,
        )
        self._delivery = OutputDelivery(
            self.members,
            limit_bytes=limits.outbox_bytes,
            overflow_reason=mount.cls.overflow_reason,
        )
        self._answers: set[asyncio.Future[Any]] = set()
        self._paused: set[RoomConnection] = set()

    # -- what the registry asks ----------------------------------------------------------------

    async def wake(self) -> None:
        """Make sure that there is an instance.

        Raises:
            StateroomError: It could not be started, or the room is over.
        """
        if self._residence.instance is None:
            await self._ask(_do_nothing)

    def join(
        self, request: Request, transport: SocketTransport, connection_id: str
    ) -> RoomConnection:
        """Take a socket in; `on_connect` follows as an event.

        Raises:
            Overloaded: The room has as many sockets as it may.
            RoomAborted: The room is over or about to be.
        """
        if self.state in LEAVING_STATES:
            raise RoomAborted
        if len(self.members) >= self._limits.connections:
            raise Overloaded(f"the object has {len(self.members)} connections")
        connection = RoomConnection(
            self,
            connection_id=connection_id,
            serial=self.members.next_serial(),
            transport=transport,
        )
        self.members.add(connection)
        self._submit(
            lambda instance: instance.on_connect(connection, request),
            fail=lambda error: self._turn_away(connection, error),
            always=True,
        )
        return connection

    async def request(self, request: Request) -> tuple[Response, Receipt]:
        """Run `on_request`; the answer comes after every write it could reveal is committed.

        Raises:
            StateroomError: The object failed, the room ended, or its mailbox is full.
        """

        async def hook(instance: DurableObject) -> Response:
            response: Response = await finish(instance.on_request(request))
            return response

        response = await self._ask(hook, size_bytes=len(request.body))
        return response, self.lane.receipt

    # -- sockets (ConnectionHost) --------------------------------------------------------------

    def take_message(self, connection: RoomConnection, message: str | bytes) -> None:
        """Run `on_message` now if nothing waits, else queue it. The hottest path of all."""
        self.touched = True
        instance = self._residence.instance
        if (
            instance is not None
            and self._traits.plain_message
            and self._events.free
            and not self.lane.congested
        ):
            error = self._events.run_inline(instance.on_message, connection, message)
            if error is not None:
                self._turn_away(connection, error)
            return
        self._submit(
            lambda current: None if connection.deaf else current.on_message(connection, message),
            size_bytes=len(message),
            fail=lambda error: self._turn_away(connection, error),
        )
        if self._mailbox.over_high_water or self.lane.congested:
            self._paused.add(connection)
            connection.transport.pause_reading()

    def take_end(self, connection: RoomConnection, code: int, reason: str, *, clean: bool) -> None:
        """Forget a socket; `on_close` follows as an event, once."""
        self.members.remove(connection)
        self._paused.discard(connection)
        if self.state in CLOSED_STATES or not self._traits.hears_close:
            return
        asleep = self._residence.instance is None and not self._mailbox
        if asleep and not self._traits.wakes_on_close:
            return
        self._submit(
            lambda instance: instance.on_close(connection, code, reason, clean),
            fail=_ignore,
            always=True,
        )

    def stage_send(self, connection: RoomConnection, message: OutgoingMessage) -> None:
        """Make a send part of the running unit."""
        self._unit.stage(Send(connection, message))

    def stage_close(self, connection: RoomConnection, code: int, reason: str) -> None:
        """Make a close part of the running unit."""
        self._unit.stage(Close(connection, code, reason))

    # -- events (EventHost) --------------------------------------------------------------------

    async def ready(self) -> DurableObject:
        """Return the instance; start one if there is none."""
        residence = self._residence
        if self.lane.congested:
            await self._unit.wait_for_room()
        self._check_alive()
        if residence.instance is not None:
            return residence.instance
        if self.state in {RoomState.ACTIVE, RoomState.HIBERNATED}:
            self.state = move(self.state, RoomState.LOADING)
        try:
            instance = await residence.start()
        except StateroomError:
            self._unit.discard()
            raise
        except Exception as error:
            self.undo(error)
            raise as_fault(error) from error
        self._check_alive()
        self.finish_unit()
        residence.instance = instance
        if self.state is RoomState.LOADING:
            self.state = move(self.state, RoomState.ACTIVE)
        return instance

    def finish_unit(self) -> None:
        """The event ended well."""
        self._unit.finish()

    def undo(self, error: Exception) -> None:
        """The event raised: undo its unit and drop the instance; the next event starts another."""
        self._unit.discard()
        self._residence.fault()
        self._environment.counters("object_faults")
        _log.error("object_fault", **self.names, exc_info=error)

    def drained(self) -> None:
        """An event has left the mailbox."""
        self._relieve()

    # -- life ----------------------------------------------------------------------------------

    @property
    def names(self) -> dict[str, object]:
        """Fields that identify the room in a log line."""
        object_id = self.object_id
        return {
            "namespace": object_id.namespace,
            "object": object_id.name if object_id.name is not None else str(object_id),
            "epoch": self.lane.claim.epoch,
        }

    @property
    def awake(self) -> bool:
        """Whether there is an instance."""
        return self._residence.instance is not None

    @property
    def idle(self) -> bool:
        """Whether nothing runs, waits, is unconfirmed or is pending."""
        return (
            self._events.free
            and self.lane.clean
            and not self._residence.timers
            and self.state in {RoomState.ACTIVE, RoomState.LOADING, RoomState.HIBERNATED}
        )

    @property
    def idle_seconds(self) -> float:
        """After how long without an event the instance is dropped."""
        own: float | None = self.mount.cls.idle_seconds
        return self._limits.idle_seconds if own is None else own

    async def hibernate(self) -> None:
        """Drop the instance and keep the sockets, if the room is idle (still, after on_evict)."""
        if self._traits.hears_evict and self.idle and self._residence.instance is not None:
            await self._ask(lambda instance: finish(instance.on_evict("idle")))
        if self.idle and self.state is RoomState.ACTIVE:
            self._residence.drop(forget_rows=True)
            self.state = move(self.state, RoomState.HIBERNATED)

    async def leave(self, *, draining: bool) -> None:
        """Give the object up in good order: end events, commit, close sockets, release.

        (architecture, section 9 d.) Idle rooms without sockets leave this way (EVICTING), and
        every room of a worker that is going away (DRAINING). Cancelling it aborts the room.
        """
        self.state = move(self.state, RoomState.DRAINING if draining else RoomState.EVICTING)
        try:
            for member in self.members:
                member.transport.pause_reading()
            await self._events.join()
            self.finish_unit()
            await self.lane.commit_point()
            for member in list(self.members):
                member.shut(*GOING_AWAY)
            self._residence.drop(forget_rows=True)
            await self._environment.store.release(self.lane.current_claim)
        except StateroomError as error:
            self.abort(error)
        except asyncio.CancelledError:
            self.abort(RoomAborted())
            raise
        else:
            if self.state not in CLOSED_STATES:
                self._end(RoomAborted())

    def abort(self, error: StateroomError) -> None:
        """Throw the room away: drop what is held and unconfirmed, close every socket."""
        if self.state in CLOSED_STATES:
            return
        _log.warning("room_aborted", **self.names, code=error.code, reason=str(error))
        self._environment.counters("room_aborts")
        self.state = move(self.state, RoomState.ABORTED)
        self.lane.break_(error)
        self._unit.discard()
        for member in list(self.members):
            if isinstance(error, LeaseLost):
                member.drop_unsent()
            member.shut(*close_for(error))
        self._end(error)

    def _end(self, error: StateroomError) -> None:
        self.state = move(self.state, RoomState.GONE)
        self.lane.break_(error)
        self._residence.drop(forget_rows=True)
        self._events.stop(error)
        for answer in list(self._answers):
            _failing(answer)(error)
        self._unit.relieve()
        self._gone(self)

    # -- inside --------------------------------------------------------------------------------

    async def _ask(self, hook: Callable[[Any], Awaitable[Any] | Any], size_bytes: int = 0) -> Any:
        """Run a hook as an event; its result leaves through the gate, as a send would."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def run(instance: DurableObject) -> None:
            result = await finish(hook(instance))
            self._unit.stage(Release(lambda: _resolve(answer, result)))

        self._check_alive()
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)
        self._submit(run, size_bytes=size_bytes, fail=_failing(answer))
        return await answer

    def _submit(
        self,
        hook: Callable[[Any], Awaitable[Any] | Any],
        *,
        fail: Callable[[Exception], None],
        size_bytes: int = 0,
        always: bool = False,
    ) -> None:
        self.touched = True
        try:
            self._check_alive()
            self._events.submit(Event(hook, size_bytes=size_bytes, fail=fail), always=always)
        except StateroomError as error:
            fail(error)

    def _take_timer(self, callback: Callable[[], Awaitable[None] | None]) -> None:
        self._submit(lambda _instance: callback(), fail=_ignore, always=True)

    def _turn_away(self, connection: RoomConnection, error: Exception) -> None:
        connection.shut(*close_for(error))

    def _check_alive(self) -> None:
        if self.state in CLOSED_STATES:
            raise RoomAborted

    def _deliver(self, outputs: Sequence[Output]) -> None:
        """Let outputs go, if the lease still holds at this very step (invariant 2)."""
        if self._environment.lease.holds():
            self._delivery.deliver(outputs)
        else:
            self.abort(LeaseLost())

    def _relieve(self) -> None:
        """Let sockets read again and writers go on, when there is room."""
        if self.lane.congested:
            return
        self._unit.relieve()
        if self._paused and self._mailbox.under_low_water:
            paused, self._paused = self._paused, set()
            for connection in paused:
                connection.transport.resume_reading()


def _resolve(answer: "asyncio.Future[Any]", result: Any) -> None:
    if not answer.done():
        answer.set_result(result)


def _failing(answer: "asyncio.Future[Any]") -> Callable[[Exception], None]:
    def fail(error: Exception) -> None:
        if not answer.done():
            answer.set_exception(as_fault(error))
            answer.exception()  # a caller that is gone must not be reported as unread

    return fail


def _ignore(_error: Exception) -> None:
    """The engine has logged it; nobody else waits for this event."""


def _do_nothing(_instance: DurableObject) -> None:
    """An event that only needs the instance to be there."""
