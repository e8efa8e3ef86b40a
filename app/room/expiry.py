"""Rows that expire: absent from their time on, and removed a little later.

A row whose time has come is absent for every read at once, by `ctx.now()`; nothing has to be
written for that. It is removed by an alarm of the object's own, whose name no author can use. The
alarm stands at or before the first time of a fixed grid, every five minutes with an offset of
the object's, that is not before any row's expiry: so it is set anew seldom, one ring removes all
that expired in between, and objects do not all wake at once.

The alarm is written in the unit that puts the row, so a row that expires never stands without it.
Each ring removes at most 2,000 rows, so that other events of the object get their turn.
(docs/decisions/0018)
"""

from typing import Final

from ..core.clock import DatabaseClock
from ..core.ids import ObjectId
from ..core.ports import ObjectStore
from ..core.storage_codec import EXPIRING, expiry_ms
from ..core.values import Alarm
from .alarms import RoomAlarms
from .commits import CommitLane
from .input_gate import InputGate
from .standing import holding

EXPIRY_ALARM: Final = "\x01expiry"
GRID_MS: Final = 300_000
_ROWS: Final = 2_000


class RowExpiry:
    """See the module.

    Args:
        lane: Has the buffer that is written to.
        store: Tells what expires first.
        alarms: The room's alarms.
        database_clock: The time that rows expire by.
        gate: The room's gate.
    """

    __slots__ = ("_alarms", "_database_clock", "_gate", "_lane", "_store")

    def __init__(
        self,
        lane: CommitLane,
        store: ObjectStore,
        alarms: RoomAlarms,
        database_clock: DatabaseClock,
        gate: InputGate,
    ) -> None:
        self._lane = lane
        self._store = store
        self._alarms = alarms
        self._database_clock = database_clock
        self._gate = gate

    def expect(self, expires_ms: int, *, confirmed: bool) -> None:
        """See to it that a row which is put now is removed after its time.

        Args:
            expires_ms: When the row expires.
            confirmed: Whether sends wait for it.
        """
        wanted = removal_ms(self._lane.claim.object_id, expires_ms)
        standing = self._alarms.look(EXPIRY_ALARM)
        if isinstance(standing, Alarm) and standing is not self._alarms.running:
            at_ms = standing.next_attempt_ms
            if at_ms is not None and at_ms <= wanted:
                return
        top = self._lane.buffer.top
        top.set_alarm(EXPIRY_ALARM, Alarm(due_ms=wanted, next_attempt_ms=wanted))
        top.confirmed = top.confirmed or confirmed

    async def expect_again(self, expires_ms: int) -> None:
        """See to it that rows are removed which came back; the first of them expires then."""
        await self._alarms.load(alarmed=True)
        self.expect(expires_ms, confirmed=True)

    async def remove(self) -> None:
        """Delete what has expired, in the running unit, and set the alarm for what expires next.

        Raises:
            StoreUnavailable: The database is away.
        """
        lane = self._lane
        read: list[tuple[bytes, int]] = []
        generation = -1
        # A commit meanwhile may have put rows anew. Few can come, for nothing writes any more.
        while generation != lane.cache.generation:
            generation = lane.cache.generation
            with holding(self._gate):
                read = await self._store.expiring(lane.claim.object_id, limit=_ROWS + 1)
        wiped, overlay = lane.buffer.overlay()
        times = {} if wiped else {key: at_ms for key, at_ms in read if key not in overlay}
        for key, value in overlay.items():
            if value is not None and value[0] == EXPIRING:
                times[key] = expiry_ms(value)
        now_ms = self._database_clock.now_ms()
        top = lane.buffer.top
        next_ms: int | None = None
        for number, (key, at_ms) in enumerate(sorted(times.items(), key=lambda each: each[1])):
            if at_ms > now_ms or number == _ROWS:
                next_ms = max(now_ms, removal_ms(lane.claim.object_id, at_ms))
                break
            top.set(key, None)
        following = None if next_ms is None else Alarm(due_ms=next_ms, next_attempt_ms=next_ms)
        top.set_alarm(EXPIRY_ALARM, following)


def removal_ms(object_id: ObjectId, expires_ms: int) -> int:
    """The first time of the object's grid that is not before a row's expiry."""
    offset = object_id.uuid.int % GRID_MS
    return expires_ms + (offset - expires_ms) % GRID_MS
