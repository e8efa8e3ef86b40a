"""Steering: what operators do to a live object, in its own turn.

Each thing that can be done has a name and a handler, a small function over what `Steered` gives
it. A handler that changes something runs as an event of the room, so it is one of a row with the
object's own events, all or nothing, and its answer leaves when its writes are committed
(architecture, 9 b). Whoever changes stored state beneath the instance calls `Steered.renew` in
the step in which it writes: the instance goes, its sockets stay, and the next event starts
another one from what is stored, so no attribute that the author has cached can overwrite the
change.

A handler that refuses raises `Refused` before it has written anything; then nothing is undone and
the instance lives on. Whatever else it raises is undone like an author's exception.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Protocol

from ..core.errors import StateroomError, StorageRefused
from ..core.mounts import Mount
from ..sdk.durable_object import DurableObject
from .activity import RoomActivity
from .alarms import RoomAlarms
from .asking import Asking, Question
from .calls import Declined
from .connections import ConnectionSet
from .hooks import finish
from .reading import RowReader
from .residence import Residence
from .rewinding import Rewinding
from .storage import RoomStorage

_ALWAYS_LET_IN: Final = 100
"""So many that wait are let in beside the bounds of the mailbox; further ones within them."""
_SMALL_BYTES: Final = 1 << 16

SteerAnswer = tuple[dict[str, Any], bytes]
"""What describes the answer, as JSON carries it, and what it carries."""

Steer = Callable[["Steered"], Awaitable[SteerAnswer] | SteerAnswer]


class Manner(Enum):
    """How a handler runs.

    LOOKING: at once, beside whatever runs; a plain function that changes nothing. TURN: as an
    event that starts no instance, so it neither wakes an object that sleeps nor needs one that
    can be started. INSTANCE: as an event of the instance, which is started if there is none.
    """

    LOOKING = auto()
    TURN = auto()
    INSTANCE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerHandler:
    """One thing that can be done to an object.

    Attributes:
        name: What it is asked for by, the same on every worker.
        manner: How it runs.
        run: Does it. May be a coroutine function unless it is LOOKING.
    """

    name: str
    manner: Manner
    run: Steer


class Refused(Exception):
    """A handler does not do what it was asked, and has written nothing.

    Args:
        error: Why, for whoever asked.
    """

    def __init__(self, error: StateroomError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def refusing() -> Iterator[None]:
    """Make a refusal of what is raised inside, by checks that come before the first write."""
    try:
        yield
    except StateroomError as error:
        raise Refused(error) from error
    except (TypeError, ValueError) as error:
        raise Refused(StorageRefused(str(error))) from error


class SteeringHost(Protocol):
    """What steering asks of its room's life."""

    def restart(self) -> None:
        """The instance is gone: start another one if somebody is connected."""
        ...


class RoomSteering:
    """The steering of one room.

    Args:
        life: The room's life.
        asking: Runs the events.
        residence: Where the instance lives.
        activity: Tells what the room is doing.
    """

    __slots__ = ("_asking", "_life", "_open", "activity", "residence")

    def __init__(
        self,
        life: SteeringHost,
        asking: Asking,
        residence: Residence,
        activity: Callable[[], RoomActivity],
    ) -> None:
        self._life = life
        self._asking = asking
        self.residence = residence
        self.activity = activity
        self._open = 0

    def put(self, handler: SteerHandler, meta: Mapping[str, Any], body: bytes) -> Question:
        """Run a handler as it wants to be run; the answer is a SteerAnswer, or Declined."""
        if handler.manner is Manner.LOOKING:
            question = Question()
            question.begun = True
            try:
                question.resolve(handler.run(Steered(self, None, meta, body)))
            except Refused as refused:
                question.resolve(Declined(refused.error))
            return question

        async def hook(instance: DurableObject | None) -> SteerAnswer | Declined:
            try:
                answer: SteerAnswer = await finish(handler.run(Steered(self, instance, meta, body)))
            except Refused as refused:
                return Declined(refused.error)
            return answer

        # A full mailbox is what an operator comes for: it must not keep him out.
        always = self._open < _ALWAYS_LET_IN and len(body) <= _SMALL_BYTES
        self._open += 1
        return self._asking.put(
            hook,
            size_bytes=len(body),
            bare=handler.manner is Manner.TURN,
            always=always,
            ended=self._ended,
        )

    def _ended(self, _question: Question) -> None:
        self._open -= 1

    def renew(self) -> None:
        """See `Steered.renew`."""
        if self.residence.instance is not None:
            self.residence.drop(forget_rows=False)
            self.restart()

    def restart(self) -> None:
        """See `Steered.restart`."""
        self._life.restart()


class Steered:
    """What a handler is given.

    Attributes:
        instance: The instance, or None where there is none and the manner needs none.
        meta: What was asked, as JSON carries it.
        body: What was sent with it.

    Args:
        steering: The room's.
    """

    __slots__ = ("_steering", "_storage", "body", "instance", "meta")

    def __init__(
        self,
        steering: RoomSteering,
        instance: DurableObject | None,
        meta: Mapping[str, Any],
        body: bytes,
    ) -> None:
        self._steering = steering
        self._storage: RoomStorage | None = None
        self.instance = instance
        self.meta = meta
        self.body = body

    @property
    def storage(self) -> RoomStorage:
        """The object's storage, as its author has it; what is put there is part of the event."""
        if self._storage is None:
            self._storage = self._steering.residence.make_storage()
        return self._storage

    @property
    def reader(self) -> RowReader:
        """Reads the object's rows in stored form, those that the event has put included."""
        return self._steering.residence.make_reader()

    @property
    def rewinding(self) -> Rewinding:
        """What the object was, and making it so again."""
        return self._steering.residence.make_rewinding()

    @property
    def awake(self) -> bool:
        """Whether the object is awake: LOOKING handlers are given no instance."""
        return self._steering.residence.instance is not None

    @property
    def mount(self) -> Mount:
        """The object's class and its settings."""
        return self._steering.residence.mount

    @property
    def alarms(self) -> RoomAlarms:
        """The object's alarms."""
        return self._steering.residence.alarms

    @property
    def members(self) -> ConnectionSet:
        """The object's sockets."""
        return self._steering.residence.members

    @property
    def activity(self) -> RoomActivity:
        """What the room is doing."""
        return self._steering.activity()

    @property
    def now_ms(self) -> int:
        """The object's time, milliseconds since 1970."""
        return self._steering.residence.now_ms()

    def renew(self) -> None:
        """Let the instance go, in the very step that changes what is stored beneath it.

        What the instance has in memory is lost, its timers and background work included; sockets
        stay. While there are any another instance is started, as after an event that raised.
        """
        self._steering.renew()

    def restart(self) -> None:
        """The instance was let go: start another one if somebody is connected."""
        self._steering.restart()
