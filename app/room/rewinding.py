"""What the object of a live room was, and making it so again.

A state is looked up between commits, when all that the events before have written is committed,
so the bookmark of the moment before is exactly what the restoration can be undone with.

Putting rows back is one commit that rewrites them inside the database (`WriteBatch.restore`):
nothing of them is read here, however many they are. Nothing else of the object runs meanwhile.
The instance goes first, so nobody holds or writes what is no longer so; sockets stay.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.clock import DatabaseClock
from ..core.errors import BookmarkUnknown, ObjectFrozen, Unsupported
from ..core.history import HistoryStand, ObjectHistory
from ..core.ids import CommitSeq
from ..core.mounts import Durability, Mount
from ..core.ports import ObjectStore
from .commits import CommitLane
from .expiry import RowExpiry
from .input_gate import InputGate
from .past import RoomPast
from .standing import holding
from .unit import RunningUnit

if TYPE_CHECKING:
    from .environment import RoomEnvironment


class Rewinding:
    """See the module. Used by an event of the room, and by one at a time.

    Args:
        mount: Of a class that stores something, or not.
        environment: Has the history, and tells which rows expire.
        lane: Where the commit goes.
        unit: The running unit.
        expiry: Sees to the removal of rows that expire.
        gate: The room's gate.
        let_go: Drops the instance and what is known of rows and alarms.
    """

    def __init__(
        self,
        mount: Mount,
        environment: "RoomEnvironment",
        lane: CommitLane,
        unit: RunningUnit,
        expiry: RowExpiry,
        gate: InputGate,
        let_go: Callable[[], None],
    ) -> None:
        self._mount = mount
        self._history: ObjectHistory = environment.history
        self._store: ObjectStore = environment.store
        self._database_clock: DatabaseClock = environment.database_clock
        self._lane = lane
        self._unit = unit
        self._expiry = expiry
        self._gate = gate
        self._let_go = let_go

    def check(self) -> None:
        """See that the object may be changed.

        Raises:
            Unsupported: It stores nothing.
            ObjectFrozen: It takes no changes.
        """
        if self._mount.durability is Durability.NONE:
            raise Unsupported("this namespace has durability=none and has no past")
        if self._lane.frozen:
            raise ObjectFrozen

    async def settled(self) -> HistoryStand:
        """How far the past can be told, once all that was written so far is committed.

        Raises:
            BookmarkUnknown: Nothing of the object was ever committed.
        """
        with holding(self._gate):
            await self._commit()
            stand = await self._history.stand(self._lane.claim.object_id)
        if stand is None:
            raise BookmarkUnknown
        return stand

    async def past(self, stand: HistoryStand, commit_seq: CommitSeq) -> RoomPast:
        """The state after a commit.

        Raises:
            BookmarkUnknown, BookmarkExpired: It cannot be told.
        """
        made_ms = await self._history.made_ms(stand, commit_seq)
        return RoomPast(self._history, stand, commit_seq, made_ms, self._database_clock)

    async def commit_at(self, stand: HistoryStand, at_ms: int) -> CommitSeq:
        """The last commit made at a time or before.

        Raises:
            BookmarkExpired: It is too long ago.
        """
        return await self._history.commit_at(stand, at_ms)

    async def commit(self) -> CommitSeq:
        """Commit all that was written so far; returns the number of the last commit."""
        with holding(self._gate):
            await self._commit()
        return CommitSeq(self._lane.commit_seq)

    async def put_back(self, commit_seq: CommitSeq) -> CommitSeq:
        """Make the rows what they were after a commit; returns the number of the one before now.

        Raises:
            RoomAborted: The commit failed; the room is thrown away.
        """
        lane = self._lane
        with holding(self._gate):
            self._let_go()
            await self._commit()
            before = CommitSeq(lane.commit_seq)
            await lane.restore(commit_seq)
            self._let_go()
            await self._see_to_expiry()
        return before

    async def _commit(self) -> None:
        while True:
            await self._unit.commit_point()
            if self._lane.buffer.clean:
                return

    async def _see_to_expiry(self) -> None:
        """Rows that expire are back, and their alarm may be gone: it is no part of the past."""
        expiring = await self._store.expiring(self._lane.claim.object_id, limit=1)
        if expiring:
            now_ms = self._database_clock.now_ms()
            await self._expiry.expect_again(max(now_ms, expiring[0][1]))
