"""One live object: the shell that joins the engine's parts.

A room holds the object's ownership (its claim), its commit lane, its sockets and at most one
instance of the author's class. The instance may come and go (hibernation, faults); sockets,
claim and committed cache stay. When a gate breaks, the whole room is thrown away.
"""

from collections.abc import Callable, Sequence
from functools import partial

from ..core.errors import LeaseLost, Overloaded, RoomAborted, StateroomError
from ..core.frames import OutgoingMessage
from ..core.mounts import Mount
from ..core.sockets import SocketTransport
from ..core.values import Claim, Receipt
from ..sdk.durable_object import DurableObject
from ..sdk.messages import Request, Response
from .activity import activity_of
from .admission import Admission, Origin
from .asking import Asking, Question
from .auto_response import AutoResponder
from .bell import AlarmBell
from .beside import Beside
from .brake import ReadingBrake
from .calls import RoomCalls
from .closing import Ending
from .commits import CommitLane
from .connections import ConnectionSet, RoomConnection
from .endings import Endings
from .environment import RoomEnvironment
from .events import EventLoop
from .input_gate import InputGate
from .instance import ClassTraits
from .interleaving import InterleavingLoop
from .life import RoomLife
from .limits import RoomLimits
from .mailbox import Mailbox
from .outputs import Close, Output, OutputDelivery, Send
from .residence import Residence
from .states import RoomState
from .steering import RoomSteering
from .unit import RunningUnit


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
        environment = environment.for_class(mount.cls)
        limits = environment.limits
        self.object_id, self.mount = claim.object_id, mount
        self.members = ConnectionSet()
        self.touched = True
        self._lease, self._limits = environment.lease, limits
        self._traits = ClassTraits.of(mount.cls)
        self._plain_message = self._traits.plain_message
        self._mailbox = _mailbox_of(limits)
        self.event_timeout_seconds = limits.event_timeout_seconds
        self._gate = InputGate()
        self._events = _events_of(mount, self._mailbox, environment, self._gate)
        self._submit = Admission(self._events, environment.clock, limits, self._admit).submit
        self._endings = Endings(self._traits, self._submit)
        self._make_parts(environment, claim)
        self._life = RoomLife(
            environment=environment,
            lane=self.lane,
            unit=self._unit,
            members=self.members,
            residence=self._residence,
            events=self._events,
            asking=self.asking,
            brake=self._brake,
            keeping=mount.cls.interleave,
            hears_evict=self._traits.hears_evict,
            gone=lambda: gone(self),
        )
        self._ends, residence = self._life.ends, self._residence
        self._events.serve(self._life, self._ends, residence.sections)
        self.bell = AlarmBell(
            self._life, self.asking, residence.alarms, residence.expiry, environment
        )
        look = partial(activity_of, self.lane, self._mailbox, self._events, self._life, residence)
        self.steering = RoomSteering(self._life, self.asking, residence, look)

    def _make_parts(self, environment: RoomEnvironment, claim: Claim) -> None:
        """Make what the life of the room is about."""
        limits, mount = environment.limits, self.mount
        self.lane = CommitLane(
            claim=claim,
            committer=environment.committer,
            durability=mount.durability,
            limits=limits,
            clock=environment.clock,
            deliver=self._deliver,
            failed=self.abort,
            alarm_set=environment.alarm_set,
        )
        self._unit = RunningUnit(
            self.lane,
            events=self._events,
            alive=lambda: not self._life.closed,
        )
        self.asking = Asking(self._unit, self._submit)
        beside = Beside(self._gate, self._unit.end_step, self._events.step_failed)
        self.calls = RoomCalls(
            environment, self.object_id, self._unit, self._events, self.asking, beside
        )
        self._brake = ReadingBrake(self.lane, self._mailbox, self._unit)
        self.lane.progress = self._brake.relieve
        self._auto = AutoResponder(self._unit, self._deliver, environment.database_clock)
        self._residence = Residence(
            mount=mount,
            environment=environment,
            lane=self.lane,
            unit=self._unit,
            members=self.members,
            beside=beside,
            fire=lambda call: self._submit(lambda _: call(), fail=_ignore, always=True),
            limit_messages=self._events.limit_messages,
            abort=self.abort,
            calls=self.calls,
            auto=self._auto,
        )
        self._delivery = _delivery_of(mount, self.members, limits)

    # -- what the registry asks ----------------------------------------------------------------

    async def wake(self) -> None:
        """Make sure that there is an instance.

        Raises:
            StateroomError: It could not be started, or the room is over.
        """
        if self._residence.instance is None:
            await self.asking.ask(_do_nothing)

    def join(
        self, request: Request, transport: SocketTransport, connection_id: str
    ) -> RoomConnection:
        """Take a socket in; `on_connect` follows as an event.

        Raises:
            Overloaded: The room has as many sockets as it may.
            RoomAborted: The room is over or about to be.
        """
        if self._life.leaving:
            raise RoomAborted
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
            fail=lambda error: self._ends.refuse(connection, error),
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
        hook = self.calls.streams.answering(request)
        return self.asking.put(hook, size_bytes=len(request.body), origin=Origin.REQUEST)

    @property
    def open(self) -> bool:
        """Whether events are taken."""
        return not self._life.leaving

    @property
    def state(self) -> RoomState:
        """Where the room is in its life."""
        return self._life.state

    @property
    def life(self) -> RoomLife:
        """How the room stands, for those who look after many."""
        return self._life

    @property
    def awake(self) -> bool:
        """Whether there is an instance."""
        return self._residence.instance is not None

    @property
    def idle(self) -> bool:
        """Whether nothing runs, waits, is unconfirmed or is pending."""
        return self._life.idle

    @property
    def idle_seconds(self) -> float:
        """After how long without an event the instance is dropped."""
        own: float | None = self.mount.cls.idle_seconds
        return self._limits.idle_seconds if own is None else own

    async def hibernate(self) -> None:
        """See `RoomLife.hibernate`."""
        await self._life.hibernate()

    async def leave(self, *, draining: bool, ending: Ending | None = None) -> None:
        """See `RoomLife.leave`."""
        await self._life.leave(draining=draining, ending=ending)

    def abort(self, error: StateroomError) -> None:
        """See `RoomLife.abort`."""
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
            fail=lambda error: self._ends.refuse(connection, error),
            uncounted=not self._brake.stopped(connection),
            timeout_seconds=self._events.message_timeout_seconds,
            origin=Origin.MESSAGE,
        )
        self._brake.test(connection)

    def take_end(self, connection: RoomConnection, code: int, reason: str, *, clean: bool) -> None:
        """Forget a socket; what the object hears of it follows in events of their own, once."""
        self.members.remove(connection)
        self._brake.forget(connection)
        asleep = self._residence.instance is None and self._events.free
        if self._life.leaving or (asleep and not self._traits.wakes_on_close):
            connection.forget()
        else:
            self._endings.tell(connection, code, reason, clean=clean)

    @property
    def held_bytes(self) -> int:
        """See `ConnectionHost.held_bytes`."""
        return self.lane.gate.held_bytes

    def stage_send(self, connection: RoomConnection, message: OutgoingMessage) -> None:
        """Make a send part of the running unit."""
        self._unit.stage(Send(connection, message))

    def stage_close(self, connection: RoomConnection, code: int, reason: str) -> None:
        """Make a close part of the running unit."""
        self._unit.stage(Close(connection, code, reason))

    def remember(self, what: object, put_back: Callable[[], None]) -> None:
        """See `RunningUnit.remember`."""
        self._unit.remember(what, put_back)

    # -- inside --------------------------------------------------------------------------------

    def _admit(self) -> None:
        self.touched = True
        self._life.check()

    def _deliver(self, outputs: Sequence[Output]) -> None:
        """Let outputs go, if the lease still holds at this very step (invariant 2)."""
        if self._lease.holds():
            self._delivery.deliver(outputs)
        else:
            self.abort(LeaseLost())


def _delivery_of(mount: Mount, members: ConnectionSet, limits: RoomLimits) -> OutputDelivery:
    reason = mount.cls.overflow_reason
    return OutputDelivery(members, limit_bytes=limits.outbox_bytes, overflow_reason=reason)


def _mailbox_of(limits: RoomLimits) -> Mailbox:
    return Mailbox(limit_events=limits.mailbox_events, limit_bytes=limits.mailbox_bytes)


def _events_of(
    mount: Mount, mailbox: Mailbox, environment: RoomEnvironment, gate: InputGate
) -> EventLoop | InterleavingLoop:
    """The events of a class: one at a time, or as the input gate lets them."""
    tasks, clock, limits = environment.tasks, environment.clock, environment.limits
    seconds = limits.event_timeout_seconds
    if mount.cls.interleave:
        most = limits.running_events
        return InterleavingLoop(
            mailbox, tasks, clock, gate, timeout_seconds=seconds, most_running=most
        )
    return EventLoop(mailbox, tasks, clock, gate, timeout_seconds=seconds)


def _ignore(_error: Exception) -> None:
    """The engine has logged it; nobody else waits for this event."""


def _do_nothing(_instance: DurableObject) -> None:
    """An event that only needs the instance to be there."""
