"""The life of one room: its state, the comings and goings of its instance, and its ends.

A room ends in good order (`leave`) or is thrown away (`abort`); either way it is over for good,
and the object's next event makes another room. Between, the instance is made when an event needs
it, and dropped when it rests or its code raises. The states and their moves are one table
(`states`).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from ..core.errors import (
    LeaseLost,
    ObjectFrozen,
    OwnershipLost,
    RoomAborted,
    StateroomError,
    StoreUnavailable,
    WorkerLeaving,
)
from ..core.mounts import Mount
from ..sdk.durable_object import DurableObject
from .asking import Asking
from .brake import ReadingBrake
from .closing import GOING_AWAY, Ending
from .commits import CommitLane
from .connections import ConnectionSet
from .environment import RoomEnvironment
from .event_ends import EventEnds, turn_away
from .faults import InstanceAborted, as_fault
from .freezing import Freezing
from .instance import ClassTraits
from .log_names import names_of
from .mailbox import Event
from .residence import Residence
from .room_events import RoomEvents
from .states import CLOSED_STATES, LEAVING_STATES, RoomState, move
from .unit import RunningUnit
from .vitals import Vitals

_log = structlog.get_logger("stateroom.room")


class RoomLife:
    """See the module. It is the `EventHost` of the room's event loop.

    Args:
        environment: What all rooms of the worker share.
        lane: Broken when the room is aborted.
        unit: Ended or undone with each event.
        members: The room's sockets.
        residence: Where the instance lives.
        events: Stopped when the room is over.
        asking: Those that wait for an answer.
        brake: Released as events leave the mailbox.
        mount: The class, and what it hears.
        gone: Called once when the room is over.
    """

    def __init__(
        self,
        *,
        environment: RoomEnvironment,
        lane: CommitLane,
        unit: RunningUnit,
        members: ConnectionSet,
        residence: Residence,
        events: RoomEvents,
        asking: Asking,
        brake: ReadingBrake,
        mount: Mount,
        gone: Callable[[], None],
    ) -> None:
        self._environment = environment
        self._lane = lane
        self._unit = unit
        self._members = members
        self._residence = residence
        self._events = events
        self._asking = asking
        self._brake = brake
        keeping, counters = mount.cls.interleave, environment.counters
        self.ends = EventEnds(unit, residence, claim=lane.claim, counters=counters, keeping=keeping)
        self._hears_evict = ClassTraits.of(mount.cls).hears_evict
        self._gone = gone
        self.state = RoomState.LOADING
        self.cause: StateroomError | None = None
        """Why the room was thrown away, if it was."""
        self.released = False
        """Whether the object was given up; a room that was thrown away has not done that."""

    @property
    def closed(self) -> bool:
        """Whether the room is over."""
        return self.state in CLOSED_STATES

    @property
    def leaving(self) -> bool:
        """Whether the room is over or about to be."""
        return self.state in LEAVING_STATES

    @property
    def idle(self) -> bool:
        """Whether nothing runs, waits, is unconfirmed or is pending."""
        return (
            self._events.quiet
            and self._lane.clean
            and not self._residence.pending
            and not self.leaving
        )

    @property
    def _deserted(self) -> bool:
        return self.idle and not self._members

    @property
    def names(self) -> dict[str, object]:
        """Fields that identify the room in a log line."""
        return names_of(self._lane.claim)

    @property
    def freezing(self) -> Freezing:
        """Freezes and thaws the object."""
        return Freezing(self, self._lane, self._unit, self._residence)

    @property
    def vitals(self) -> Vitals:
        """Whether the room has something to do, and gets on with it."""
        events, lane = self._events, self._lane
        return Vitals(
            confirmed=None if lane.clean else lane.commit_seq,
            ended=events.mark,
            allowed_seconds=events.allowed_seconds,
        )

    def check(self) -> None:
        """Raise RoomAborted if the room is over."""
        if self.closed:
            raise RoomAborted

    # -- events (EventHost) --------------------------------------------------------------------

    async def ready(self) -> DurableObject:
        """Return the instance; start one if there is none."""
        residence = self._residence
        if self._lane.congested:
            await self._unit.wait_for_room()
        self.check()
        if residence.instance is not None:
            return residence.instance
        if self.state in {RoomState.ACTIVE, RoomState.HIBERNATED}:
            self.state = move(self.state, RoomState.LOADING)
        self._lane.meter.wakes += 1
        instance = await self._start()
        residence.instance = instance
        if self.state is RoomState.LOADING:
            self.state = move(self.state, RoomState.ACTIVE)
        return instance

    async def rows_ready(self) -> DurableObject | None:
        """Return the instance if there is one; its rows are known, and it is not waited for."""
        if self._lane.congested:
            await self._unit.wait_for_room()
        self.check()
        try:
            await self._residence.load()
        except (OwnershipLost, LeaseLost) as error:
            self.abort(error)
            raise
        self.check()
        return self._residence.instance

    async def _start(self) -> DurableObject:
        """Make the instance, or leave everything as if it had not been tried."""
        residence = self._residence
        try:
            await residence.prepare()
            self.check()
            instance = await residence.start()
            self.check()
            self.ends.well()
        except (OwnershipLost, LeaseLost) as error:
            self.abort(error)  # the claim is worth nothing any more: another room must make one
            raise
        except InstanceAborted as error:
            raise RoomAborted(str(error)) from None
        except (StoreUnavailable, RoomAborted, ObjectFrozen):
            self._unit.discard()
            residence.drop(forget_rows=False)
            raise
        except Exception as error:
            self.ends.blamed(error)
            fault = as_fault(error)
            fault.object_id = fault.object_id or str(self._lane.claim.object_id)
            raise fault from error
        return instance

    def restart(self) -> None:
        """An event was undone, and the instance is gone.

        While there are clients another one is started, after the pause that repeated faults
        ask for; else the next event does that. A start that fails is not repeated by itself.
        """
        if self._members and not self.leaving:
            self._events.submit(Event(_do_nothing, fail=_ignore), always=True)

    def drained(self) -> None:
        """An event has left the mailbox."""
        self._brake.relieve()

    # -- rest and ends -------------------------------------------------------------------------

    async def hibernate(self) -> None:
        """Drop the instance and keep the sockets, if the room is idle (still, after on_evict)."""
        if self._hears_evict and self.idle and self._residence.instance is not None:
            with suppress(StateroomError):  # it is logged, and nothing may depend on on_evict
                await self._asking.ask(lambda instance: instance.on_evict("idle"))
        if self.idle and self.state is RoomState.ACTIVE:
            self._residence.drop(forget_rows=True)
            self.state = move(self.state, RoomState.HIBERNATED)

    async def evict(self) -> None:
        """Drop the instance and keep the sockets, once what waits or runs has ended.

        Its timers are lost with it.
        """
        await self._asking.ask(_do_nothing)
        self._residence.timers.cancel_all()
        await self.hibernate()

    async def leave(self, *, draining: bool, ending: Ending | None = None) -> None:
        """Give the object up in good order: end events, commit, close sockets, release.

        (architecture, section 9 d.) Idle rooms without sockets leave this way (EVICTING), and
        every room of a worker that is going away (DRAINING). What a client says from now on is
        not heard any more: it comes back and says it to the next owner. An idle room that has
        got something to do meanwhile stays. Cancelling it aborts the room.

        Args:
            draining: Whether it leaves even if it is not idle.
            ending: How the object is given up, if it is not simply released.
        """
        if self.leaving or not (draining or self._deserted):
            return
        self.state = move(self.state, RoomState.DRAINING if draining else RoomState.EVICTING)
        reason = ending.reason if ending is not None else "draining" if draining else "idle"
        self._events.close(farewell=self._farewell(reason))
        try:
            await self._give_up(ending)
        except asyncio.CancelledError:
            self.abort(WorkerLeaving() if draining else RoomAborted())
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the room must not stay half open
            self.abort(as_fault(error))
        else:
            if not self.closed:
                self._end(RoomAborted())

    async def _give_up(self, ending: Ending | None) -> None:
        for member in self._members:
            member.transport.pause_reading()
        await self._events.join()
        self.check()
        self._residence.drop(forget_rows=False)  # what goes on beside the events is over
        if self._unit.in_transaction:
            self._unit.discard_transactions()  # that was in one
        self.ends.well()
        await self._lane.commit_point()
        if ending is not None:
            await ending.give_up(self._lane.current_claim)
        for member in list(self._members):
            member.let_go(*GOING_AWAY) if ending is None else member.shut(*ending.close)
        self._residence.drop(forget_rows=True)
        if ending is None:
            await self._environment.store.release(self._lane.current_claim)
        self.released = True

    def _farewell(self, reason: str) -> Event | None:
        if not self._hears_evict or self._residence.instance is None:
            return None
        return Event(lambda instance: instance.on_evict(reason), fail=_ignore)

    def abort(self, error: StateroomError) -> None:
        """Throw the room away: drop what is held and unconfirmed, close every socket."""
        if self.closed:
            return
        _log.warning("room_aborted", **self.names, code=error.code, reason=str(error))
        self._environment.counters("room_aborts", error.code)
        self.state = move(self.state, RoomState.ABORTED)
        self.cause = error
        self._lane.break_(error)
        self._unit.discard()
        for member in list(self._members):
            if isinstance(error, LeaseLost):
                member.drop_unsent()
            turn_away(member, error)
        self._end(error)

    def _end(self, error: StateroomError) -> None:
        self.state = move(self.state, RoomState.GONE)
        self._lane.break_(error)
        self._events.stop(error)
        self._residence.drop(forget_rows=True)
        self._asking.fail_all(error)
        self._unit.relieve()
        self._gone()


def _ignore(_error: Exception) -> None:
    """The engine has logged it; nobody else waits for this event."""


def _do_nothing(_instance: DurableObject) -> None:
    """An event that only needs the instance to be there."""
