"""Where the instance lives: made when an event needs it, dropped when idle or at fault.

Making one loads the first page of rows into the cache (unless the cache is still good) and runs
`on_start`. Dropping one cancels its timers; rows, sockets and the claim are not its own.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ..core.clock import Timer
from ..core.errors import RoomAborted, StateroomError
from ..core.limits import PRELOAD_BYTES, PRELOAD_ROWS
from ..core.mounts import Durability, Mount
from ..sdk.durable_object import DurableObject
from ..sdk.namespace import Namespace
from .alarms import Abort, RoomAlarms
from .auto_response import AutoResponder
from .background import Background
from .backoff import FaultBackoff
from .beside import Beside
from .calls import RoomCalls
from .commits import CommitLane
from .connections import ConnectionSet
from .context import RoomContext
from .environment import RoomEnvironment
from .expiry import RowExpiry
from .instance import ClassTraits, start_instance
from .outputs import Output
from .reading import RowReader
from .rewinding import Rewinding
from .room_events import RoomEvents
from .sections import Sections
from .storage import RoomStorage
from .storage_parts import StorageParts, Use
from .timers import InstanceTimers
from .unit import RunningUnit

ResultT = TypeVar("ResultT")


class Residence:
    """At most one instance of the author's class.

    Args:
        mount: The class and its settings.
        environment: What all rooms share.
        lane: The room's commit lane, whose cache is filled.
        unit: The running unit.
        members: The room's sockets.
        beside: Runs what goes on beside the events, and has the room's gate.
        fire: Queues a timer's callback as an event.
        events: Are told how long the event of a message may take.
        abort: Throws the room away.
        calls: Of other objects, ended with the instance.
        auto: What answers by itself, whether or not there is an instance.
    """

    __slots__ = (
        "_abort",
        "_backoff",
        "_calls",
        "_context",
        "_environment",
        "_events",
        "_faulted",
        "_fire",
        "_gate",
        "_lane",
        "_loaded",
        "_unit",
        "alarms",
        "auto",
        "background",
        "expiry",
        "instance",
        "members",
        "mount",
        "sections",
        "stage",
        "timers",
    )

    def __init__(
        self,
        *,
        mount: Mount,
        environment: RoomEnvironment,
        lane: CommitLane,
        unit: RunningUnit,
        members: ConnectionSet,
        beside: Beside,
        fire: Callable[[Callable[[], Awaitable[None] | None]], None],
        events: RoomEvents,
        abort: Callable[[StateroomError], None],
        calls: RoomCalls,
        auto: AutoResponder,
    ) -> None:
        self.instance: DurableObject | None = None
        self.timers = InstanceTimers(environment.clock)
        self.alarms = RoomAlarms(
            lane,
            environment.store,
            environment.database_clock,
            heard=ClassTraits.of(mount.cls).hears_alarm,
            unit_bytes=environment.limits.unit_bytes,
        )
        self.expiry = RowExpiry(
            lane, environment.store, self.alarms, environment.database_clock, beside.gate
        )
        self.mount = mount
        self._environment = environment
        self._lane = lane
        self._unit = unit
        self.members = members
        self._gate = beside.gate
        self.sections = Sections(
            beside.gate,
            tasks=environment.tasks,
            clock=environment.clock,
            abort=abort,
            step_over=beside.step_over,
            driven=mount.cls.interleave,
        )
        self.background = self._make_background(beside)
        self._fire = fire
        self._events = events
        self.stage: Callable[[Output], None] = unit.stage
        """See `ContextHost`. For nearly every message, so no call of our own."""
        self._abort = abort
        self._calls = calls
        self.auto = auto
        self._backoff = FaultBackoff()
        self._loaded = False
        self._context: RoomContext | None = None
        self._faulted = False

    @property
    def pending(self) -> bool:
        """Whether the instance has something to do besides events.

        Timers, answers on their way, work in the background.
        """
        return bool(self.timers) or bool(self._calls.streams) or bool(self.background)

    def at_rest(self, now: float) -> bool:
        """Whether there is no instance, and nothing of the former that the next must know."""
        return not (self.instance or self.pending or self._faulted) and self._backoff.forgotten(now)

    async def prepare(self) -> None:
        """Sit out the pause after faults, and load the first page of rows.

        Raises:
            OwnershipLost: The rows belong to another owner by now.
            StoreUnavailable: The database is away.
        """
        environment = self._environment
        pause = self._backoff.wait_seconds(environment.clock.monotonic())
        if pause > 0:
            await environment.clock.sleep(pause)
        await self.load()

    async def start(self) -> DurableObject:
        """Make an instance and run its `on_start`; raises what the author's code raises.

        The caller drops what was made when it raises.
        """
        context = self._context = self._make_context()
        instance = await start_instance(
            self.mount,
            context,
            self.sections,
            timeout_seconds=self._environment.limits.event_timeout_seconds,
        )
        self._faulted = False
        return instance

    def drop(self, *, forget_rows: bool) -> None:
        """Let the instance go; with `forget_rows` the cache as well, to free memory."""
        self.instance = None
        self.timers.cancel_all()
        self.sections.end_all()
        self.background.cancel_all()
        if self._context is not None:
            self._context.end()
            self._context = None
            self._calls.end_instance()
        if forget_rows:
            self._lane.cache.clear()
            self._lane.alarms.clear()
            self._loaded = False

    def fault(self, *, blamed: bool = True) -> None:
        """Drop the instance as its event raised; if that is to blame, the next may have to wait."""
        self.drop(forget_rows=False)
        self._faulted = True
        if blamed:
            self._backoff.fault(self._environment.clock.monotonic())

    def run_later(self, seconds: float, callback: Callable[[], Awaitable[None] | None]) -> Timer:
        """See `ContextHost`."""
        return self.timers.add(seconds, lambda: self._fire(callback))

    def block_concurrency_while(
        self, callback: Callable[[], Awaitable[ResultT]]
    ) -> Awaitable[ResultT]:
        """See `ContextHost`."""
        return self.sections.run(callback)

    def wait_until(self, work: Awaitable[Any]) -> None:
        """See `ContextHost`."""
        self.background.add(work)

    def limit_messages(self, seconds: float | None) -> None:
        """See `ContextHost`."""
        self._events.limit_messages(seconds)

    def now_ms(self) -> int:
        """The object's time, milliseconds since 1970."""
        return self._environment.database_clock.now_ms()

    def abort(self, reason: str, *, retry_alarm: bool) -> None:
        """See `ContextHost`."""
        self.alarms.note_abort(Abort.RETRY if retry_alarm else Abort.DROP)
        self._abort(RoomAborted(reason))

    def namespace(self, name: str, cls: type[Any] | None) -> Namespace:
        """See `ContextHost`."""
        return self._calls.namespace(name, cls)

    def _make_background(self, beside: Beside) -> Background:
        environment = self._environment
        return Background(
            beside,
            tasks=environment.tasks,
            clock=environment.clock,
            seconds=environment.limits.background_seconds,
            claim=self._lane.claim,
            counters=environment.counters,
            meter=self._lane.meter,
        )

    async def load(self) -> None:
        """Load the first page of rows, unless that is done; see `prepare`."""
        if self._loaded:
            return
        lane = self._lane
        if self.mount.durability is Durability.NONE:
            lane.cache.fill([], complete=True)
            await self.alarms.load(alarmed=False)
        else:
            page = await self._environment.store.load(
                lane.current_claim, rows=PRELOAD_ROWS, size_bytes=PRELOAD_BYTES
            )
            lane.cache.fill(page.rows, complete=not page.more)
            await self.alarms.load(alarmed=page.alarmed)
        self._loaded = True

    def make_reader(self) -> RowReader:
        """What reads the object's rows as they are for its events."""
        environment = self._environment
        return RowReader(self._lane, environment.store, environment.database_clock, self._gate)

    def make_rewinding(self) -> Rewinding:
        """What makes the object what it was."""
        return Rewinding(
            self.mount,
            self._environment,
            self._lane,
            self._unit,
            self.expiry,
            self._gate,
            lambda: self.drop(forget_rows=True),
        )

    def make_storage(self) -> RoomStorage:
        """Storage over the object's rows, for an instance or for who steers the object."""
        environment = self._environment
        use = Use.FROZEN if self._lane.frozen else Use.ALL
        if self.mount.durability is Durability.NONE:
            use = Use.READING
        return RoomStorage(
            StorageParts(
                host=self._unit,
                lane=self._lane,
                reader=self.make_reader(),
                sections=self.sections,
                alarms=self.alarms,
                expiry=self.expiry,
                unit_bytes=environment.limits.unit_bytes,
                use=use,
            )
        )

    def _make_context(self) -> RoomContext:
        environment = self._environment
        return RoomContext(
            self,
            object_id=self._lane.claim.object_id,
            mount=self.mount,
            storage=self.make_storage(),
            members=self.members,
            clock=environment.clock,
            database_clock=environment.database_clock,
            workshop=environment.workshop,
            after_fault=self._faulted,
            frozen=self._lane.frozen,
        )
