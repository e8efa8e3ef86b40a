"""What a room is given: the ports and settings that all rooms of a worker share."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..core.clock import Clock, DatabaseClock
from ..core.history import ObjectHistory
from ..core.metrics import Counting, count_nothing
from ..core.ports import Committer, LeaseCheck, ObjectStore
from ..core.tasks import TaskOwner
from ..core.workshop import Workshop
from .exchange import CallExchange
from .ledger import UsageLedger
from .limits import RoomLimits

if TYPE_CHECKING:
    from .traced import RoomTracing


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEnvironment:
    """See the module.

    Attributes:
        workshop: Where long computations of objects are done.
        counters: Told of what is counted for the metrics.
        alarm_set: Called with the time, by the database's clock, of each alarm that was
            committed, so that it need not be looked for then.
        exchange: Where calls of other objects go.
        ledger: What the objects cost.
        tracing: Records spans, if anybody does.
    """

    store: ObjectStore
    history: ObjectHistory
    committer: Committer
    lease: LeaseCheck
    clock: Clock
    database_clock: DatabaseClock
    tasks: TaskOwner
    limits: RoomLimits = field(default_factory=RoomLimits)
    workshop: Workshop = field(default_factory=Workshop)
    counters: Counting = count_nothing
    alarm_set: Callable[[int], None] = lambda _due_ms: None
    exchange: CallExchange = field(default_factory=CallExchange)
    ledger: UsageLedger = field(default_factory=UsageLedger)
    tracing: "RoomTracing | None" = None

    def for_class(self, author_class: type[Any]) -> "RoomEnvironment":
        """The same for the rooms of one class, with the bounds that the class sets itself."""
        seconds: float | None = author_class.event_timeout_seconds
        if seconds is None:
            return self
        return replace(self, limits=replace(self.limits, event_timeout_seconds=seconds))
