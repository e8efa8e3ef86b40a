"""What is left of a room while it sleeps, and how its parts come and go (`slumber`)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..core.mounts import Mount
from ..core.values import Claim
from .activity import activity_of
from .admission import RequestRate
from .asking import Asking
from .bell import AlarmBell
from .calls import RoomCalls
from .connections import ConnectionSet
from .environment import RoomEnvironment
from .instance import ClassTraits
from .life import RoomLife
from .mailbox import Event
from .outputs import OutputDelivery
from .parts import PartsHost, make_parts
from .slumber import Slept, at_rest, fall_asleep
from .states import RoomState
from .steering import RoomSteering

_SHELL: Final = (
    "_claim",
    "_environment",
    "_first_seq",
    "_gone",
    "_lease",
    "_limits",
    "_plain_message",
    "_rate",
    "_slept",
    "_traits",
    "event_timeout_seconds",
    "members",
    "mount",
    "object_id",
    "touched",
)
_PARTS: Final = (
    "_auto",
    "_bell",
    "_brake",
    "_delivery",
    "_events",
    "_life",
    "_parts",
    "_residence",
    "_steering",
    "_submit",
    "_unit",
    "lane",
)
"""What a room does without while it sleeps."""


class Shell(PartsHost):
    """See the module.

    Args:
        mount: The namespace's class and settings.
        environment: What all rooms of the worker share.
        claim: The ownership, made just before.
        gone: Called once when the room is over; the registry forgets it.

    Attributes:
        members: The room's sockets.
        touched: Whether anything has happened since somebody looked.
        lane: The room's commits.
    """

    __slots__ = (*_SHELL, *_PARTS)

    def __init__(
        self,
        *,
        mount: Mount,
        environment: RoomEnvironment,
        claim: Claim,
        gone: Callable[[Any], None],
    ) -> None:
        environment = environment.for_class(mount.cls)
        limits = environment.limits
        self.object_id = claim.object_id
        self.mount = mount
        self.members = ConnectionSet()
        self.touched = True
        self.event_timeout_seconds = limits.event_timeout_seconds
        self._environment = environment
        self._claim = claim
        self._first_seq = claim.commit_seq
        self._gone = gone
        self._lease = environment.lease
        self._limits = limits
        self._traits = ClassTraits.of(mount.cls)
        # Where spans are recorded every event goes the long way.
        self._plain_message = self._traits.plain_message and environment.tracing is None
        most = limits.requests_per_10_seconds
        self._rate = None if most is None else RequestRate(most)
        self._slept: Slept | None = None
        self._make_parts()

    def _make_parts(self) -> None:
        parts = self._parts = make_parts(
            self,
            mount=self.mount,
            environment=self._environment,
            claim=self._claim,
            members=self.members,
            rate=self._rate,
        )
        self.lane = parts.lane
        self._events = parts.events
        self._submit = parts.submit
        self._unit = parts.unit
        self._brake = parts.brake
        self._auto = parts.auto
        self._residence = parts.residence
        self._life = parts.life
        self._delivery = OutputDelivery(
            self.members,
            limit_bytes=self._limits.outbox_bytes,
            overflow_reason=self.mount.cls.overflow_reason,
            meter=parts.lane.meter,
        )
        self._bell: AlarmBell | None = None
        self._steering: RoomSteering | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A part of a room that sleeps is asked for: make them all.

            Python comes here only for what is not there, so a room that is up pays nothing.
            """
            slept = self._slept if name in _PARTS else None
            if slept is None:
                raise AttributeError(name)
            self._slept = None
            self._make_parts()
            slept.pass_on(self._parts)
            return getattr(self, name)

    def over(self) -> None:
        """See `PartsHost.over`."""
        self._environment.ledger.retire(self.lane.meter)
        self._gone(self)

    def sleep(self) -> None:
        """Let the parts go until one is asked for, if the room hibernates and they rest."""
        if self._slept is None and at_rest(
            self._parts, self._bell, self._environment.clock.monotonic()
        ):
            slept = fall_asleep(self._parts)
            self._environment.ledger.retire(self.lane.meter)
            for name in _PARTS:
                delattr(self, name)
            self._claim, self._slept = slept.claim, slept

    @property
    def asking(self) -> Asking:
        """Asks the instance, in its turn."""
        return self._parts.asking

    @property
    def calls(self) -> RoomCalls:
        """The calls of the object, and those that come in."""
        return self._parts.calls

    @property
    def bell(self) -> AlarmBell:
        """Rings the object's alarms."""
        if self._bell is None:
            residence = self._residence
            self._bell = AlarmBell(
                self._life,
                self.asking,
                residence.alarms,
                residence.expiry,
                self._environment,
                self.lane.meter,
            )
        return self._bell

    @property
    def steering(self) -> RoomSteering:
        """What operators do to the object."""
        if self._steering is None:
            look = partial(activity_of, self._parts, self._first_seq, self._environment.ledger)
            self._steering = RoomSteering(self._life, self.asking, self._residence, look)
        return self._steering

    @property
    def open(self) -> bool:
        """Whether events are taken."""
        return self._slept is not None or not self._life.leaving

    @property
    def state(self) -> RoomState:
        """Where the room is in its life."""
        return RoomState.HIBERNATED if self._slept is not None else self._life.state

    @property
    def life(self) -> RoomLife:
        """How the room stands, for those who look after many."""
        return self._life

    @property
    def awake(self) -> bool:
        """Whether there is an instance."""
        return self._slept is None and self._residence.instance is not None

    @property
    def drowsy(self) -> bool:
        """Whether it hibernates and does not sleep yet."""
        return self._slept is None and self._life.state is RoomState.HIBERNATED

    @property
    def waiting(self) -> Sequence[Event]:
        """The events that wait for their turn, the oldest first; for looking only."""
        return () if self._slept is not None else self._parts.mailbox.events

    @property
    def congested(self) -> bool:
        """Whether so much is unconfirmed or held back that its sockets are not read."""
        return self._slept is None and self.lane.congested

    @property
    def idle(self) -> bool:
        """Whether nothing runs, waits, is unconfirmed or is pending."""
        return self._slept is not None or self._life.idle
