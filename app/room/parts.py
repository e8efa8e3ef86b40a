"""The parts of a room, made and joined.

They know one another and, of the room itself, what `PartsHost` says.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from ..core.errors import StateroomError
from ..core.mounts import Mount
from ..core.values import Claim
from .admission import Admission, RequestRate
from .asking import Asking
from .auto_response import AutoResponder
from .beside import Beside
from .brake import ReadingBrake
from .calls import RoomCalls
from .commits import CommitLane
from .connections import ConnectionSet
from .environment import RoomEnvironment
from .events import EventLoop
from .input_gate import InputGate
from .interleaving import InterleavingLoop
from .life import RoomLife
from .mailbox import Mailbox
from .meter import Meter
from .outputs import Output
from .residence import Residence
from .traced import traced
from .unit import RunningUnit


class PartsHost(ABC):
    """What the parts ask of their room."""

    __slots__ = ()

    @abstractmethod
    def deliver(self, outputs: Sequence[Output]) -> None:
        """Let outputs go, if the lease still holds at this very step (invariant 2)."""

    @abstractmethod
    def abort(self, error: StateroomError) -> None:
        """Throw the room away; see `RoomLife.abort`."""

    @abstractmethod
    def admit(self) -> None:
        """Note an event; raises RoomAborted when the room takes none."""

    @abstractmethod
    def alive(self) -> bool:
        """Whether the room still lives."""

    @abstractmethod
    def take_timer(self, callback: Callable[[], Awaitable[None] | None]) -> None:
        """Queue a timer's callback as an event."""

    @abstractmethod
    def over(self) -> None:
        """The room is over."""


class RoomParts(NamedTuple):
    """All parts of a room that every room has; `submit` queues an event (`Admission.submit`)."""

    lane: CommitLane
    mailbox: Mailbox
    gate: InputGate
    events: EventLoop | InterleavingLoop
    submit: Callable[..., None]
    unit: RunningUnit
    asking: Asking
    calls: RoomCalls
    brake: ReadingBrake
    auto: AutoResponder
    residence: Residence
    life: RoomLife


def make_parts(
    host: PartsHost,
    *,
    mount: Mount,
    environment: RoomEnvironment,
    claim: Claim,
    members: ConnectionSet,
    rate: RequestRate | None,
) -> RoomParts:
    """Make the parts of a room.

    Args:
        host: The room.
        mount: The namespace's class and settings.
        environment: What all rooms of the class share.
        claim: The ownership.
        members: The room's sockets.
        rate: Counts the requests that come in, if they are bounded.
    """
    limits, meter = environment.limits, environment.ledger.open(claim.object_id, mount.quotas)
    mailbox = Mailbox(limit_events=limits.mailbox_events, limit_bytes=limits.mailbox_bytes)
    gate = InputGate()
    events = _events_of(mount, mailbox, environment, gate, meter)
    deliver, abort = host.deliver, host.abort  # bound once for all who keep them
    lane = _lane_of(mount, environment, claim, meter, deliver=deliver, abort=abort)
    submit = _admission_of(host, environment, events, rate, lane)
    unit = RunningUnit(lane, events=events, alive=host.alive)
    asking, beside = Asking(unit, submit), Beside(gate, unit.end_step, events.step_failed)
    calls = RoomCalls(environment, claim.object_id, unit, events, asking, beside)
    brake, clock = ReadingBrake(lane, mailbox, unit), environment.database_clock
    residence = Residence(
        mount=mount,
        environment=environment,
        lane=lane,
        unit=unit,
        members=members,
        beside=beside,
        fire=host.take_timer,
        events=events,
        abort=abort,
        calls=calls,
        auto=(auto := AutoResponder(unit, deliver, clock)),
    )
    life = RoomLife(
        environment=environment,
        mount=mount,
        lane=lane,
        unit=unit,
        members=members,
        residence=residence,
        events=events,
        asking=asking,
        brake=brake,
        gone=host.over,
    )
    events.serve(life, life.ends, residence.sections)
    return RoomParts(
        lane, mailbox, gate, events, submit, unit, asking, calls, brake, auto, residence, life
    )


def _admission_of(
    host: PartsHost,
    environment: RoomEnvironment,
    events: EventLoop | InterleavingLoop,
    rate: RequestRate | None,
    lane: CommitLane,
) -> Callable[..., None]:
    """What queues an event; where spans are recorded, with spans."""
    admission = Admission(
        events, environment.clock, environment.limits, host.admit, rate, lane.meter
    )
    if environment.tracing is None:
        return admission.submit
    return traced(admission.submit, environment.tracing, lane.claim.object_id, lane.buffer)


def _lane_of(
    mount: Mount,
    environment: RoomEnvironment,
    claim: Claim,
    meter: Meter,
    *,
    deliver: Callable[[Sequence[Output]], None],
    abort: Callable[[StateroomError], None],
) -> CommitLane:
    return CommitLane(
        claim=claim,
        committer=environment.tracing or environment.committer,
        durability=mount.durability,
        limits=environment.limits,
        clock=environment.clock,
        deliver=deliver,
        failed=abort,
        alarm_set=environment.alarm_set,
        meter=meter,
    )


def _events_of(
    mount: Mount, mailbox: Mailbox, environment: RoomEnvironment, gate: InputGate, meter: Meter
) -> EventLoop | InterleavingLoop:
    """The events of a class: one at a time, or as the input gate lets them."""
    tasks, clock, limits = environment.tasks, environment.clock, environment.limits
    seconds = limits.event_timeout_seconds
    if mount.cls.interleave:
        most = limits.running_events
        return InterleavingLoop(
            mailbox, tasks, clock, gate, meter, timeout_seconds=seconds, most_running=most
        )
    return EventLoop(mailbox, tasks, clock, gate, meter, timeout_seconds=seconds)
