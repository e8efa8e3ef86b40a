"""What is too large for one step of the event loop: done beside it, or bit by bit.

A frame may hold a million rows, and a room may have as many. Parsing, merging or hashing them in
one step would keep every other room of the worker waiting, for seconds; the worker could not
even renew its lease. So large frames, and questions to large replicas, take the functions here,
within the one event that runs; everything else never comes this way.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, Final

from ..sdk.connection import Connection
from ..sdk.context import Context
from ..sdk.storage import Storage
from .assemblers import Assemblers
from .bodies import (
    CONTENT_DIFF,
    CONTENT_HASHES,
    GET_CONTENT_HASHES,
    GET_TABLE_DIFF,
    GET_VALUE_DIFF,
)
from .layout import Entry, is_piece
from .news import Changes
from .pacing import PacedSends
from .refusals import Refusal
from .replica import Replica
from .screening import Screened
from .synchronizer import Outcome, Synchronizer
from .timetable import Timetable
from .wire import Fragment, Message, parse_frame

LARGE_CHARS: Final = 1 << 17
"""A text longer than this is parsed and merged beside the event loop."""

LARGE_WEIGHT: Final = 1 << 20
"""A replica that weighs more than this is hashed and listed beside the event loop."""

_MEMBER_WEIGHT: Final = 64
_FEW_ROWS: Final = 1_000
_SHORT_WITHOUT_NEWS: Final = frozenset(
    {GET_CONTENT_HASHES, CONTENT_HASHES, GET_TABLE_DIFF, GET_VALUE_DIFF}
)
"""What takes no longer with many rows than with few, when their hashes and texts are kept."""

_ENTRIES_AT_ONCE: Final = 1_000
_ENTRIES_A_SLICE: Final = 500
_SLICE_BYTES: Final = 1 << 20
_TEXT_SECONDS: Final = 3.0
"""What one joiner is told is kept so long for others that join."""


def is_large(replica: Replica | None) -> bool:
    """Whether hashing or listing the whole replica takes long."""
    if replica is None:
        return False
    weight = len(replica.values.leaves) * _MEMBER_WEIGHT
    for table in replica.tables.values():
        weight += table.weight + _MEMBER_WEIGHT
        if weight > LARGE_WEIGHT:
            return True
    return weight > LARGE_WEIGHT


def takes_long(replica: Replica | None, message: Message) -> bool:
    """Whether a message that is small itself may take long: large rows are merged whole."""
    if replica is None:
        return False
    kind = message.kind
    if kind == CONTENT_DIFF:
        return replica.largest_row > LARGE_CHARS
    if not is_large(replica):
        return False
    if kind not in _SHORT_WITHOUT_NEWS or replica.largest_row > LARGE_CHARS:
        return True
    rows = sum(table.unhashed for table in replica.tables.values())
    if kind == GET_TABLE_DIFF:
        rows += sum(
            table.rows_to_encode
            for table_id, table in replica.tables.items()
            if table_id not in message.body
        )
    return rows > _FEW_ROWS


async def load_bit_by_bit(
    ctx: Context, replica: Replica, stored: AsyncIterator[tuple[str, bytes]]
) -> bool:
    """Fill a new replica with what is stored, in key order; return whether there was anything.

    Entries are taken as they come, in slices of some milliseconds between which other objects
    run. A thread would be no better: it would hold up every step of theirs for as long.
    """
    found = False
    part: list[tuple[str, bytes]] = []
    size = 0
    async for entry in stored:
        full = len(part) >= _ENTRIES_A_SLICE or size >= _SLICE_BYTES
        if full and not is_piece(entry[0]):
            replica.load(part)
            part, size = [], 0
            await ctx.breathe()
        part.append(entry)
        size += len(entry[1])
        found = True
    replica.load(part)
    return found


def store(storage: Storage, entries: Sequence[Entry]) -> None:
    """Put and delete the entries."""
    for key, value in entries:
        if value is None:
            storage.delete(key)
        else:
            storage.put(key, value, no_cache=True)


async def store_bit_by_bit(ctx: Context, entries: Sequence[Entry]) -> None:
    """Do what `store` does, letting other objects run in between."""
    for start in range(0, len(entries), _ENTRIES_AT_ONCE):
        store(ctx.storage, entries[start : start + _ENTRIES_AT_ONCE])
        await ctx.breathe()


def let_go(content: Any) -> None:
    """Empty what a parser made, member by member: at once it would be one long step."""
    if isinstance(content, dict):
        while content:
            let_go(content.popitem()[1])
    elif isinstance(content, list):
        while content:
            let_go(content.pop())


class LargeFrames(ABC):
    """The half of `TinyBaseRoom` that takes large frames, and questions to large replicas."""

    ctx: Context
    _assemblers: Assemblers
    _paced: PacedSends
    _replica: Replica | None
    _sync: Synchronizer | None
    _timetable: Timetable

    @abstractmethod
    def _hears(self, connection: Connection, message: Message) -> bool:
        """Whether the message is for the replica; note that its sender speaks for itself."""

    @abstractmethod
    def _pass_on(
        self, connection: Connection, message: Message, originals: tuple[str, ...] | None
    ) -> None:
        """Pass on its frame, or the fragments it came in."""

    @abstractmethod
    def _say(self, outcome: Outcome) -> None:
        """Send what the replica says."""

    @abstractmethod
    def _settle(self, connection: Connection, result: Screened) -> None:
        """Do what is to be done about what was refused."""

    @abstractmethod
    def _react(self, changes: Changes) -> None:
        """Let the class react to what a client changed."""

    async def _take_large(self, connection: Connection, text: str) -> None:
        try:
            frame = await self.ctx.offload(partial(parse_frame, text))
        except Refusal as refusal:
            connection.close(refusal.code, refusal.reason)
            return
        if isinstance(frame, Fragment):
            await self._take_fragment_of_large(connection, frame)
        else:
            await self._take_beside(connection, frame, None)

    async def _take_fragment_of_large(self, connection: Connection, fragment: Fragment) -> None:
        try:
            assembled = await self._assemblers.add_beside(self.ctx, connection.id, fragment)
        except Refusal as refusal:
            connection.close(refusal.code, refusal.reason)
            return
        if assembled is not None:
            await self._take_beside(connection, assembled.message, assembled.originals)

    async def _take_beside(
        self, connection: Connection, message: Message, originals: tuple[str, ...] | None
    ) -> None:
        """Let the replica have the message, then pass it on."""
        ctx, sync = self.ctx, self._sync
        if sync is not None and self._hears(connection, message):
            now_ms, now = ctx.now(), ctx.monotonic()

            def handle() -> Outcome:
                outcome = sync.handle(connection.id, message, now_ms=now_ms, now=now)
                if message.kind == CONTENT_DIFF and outcome.screened is None:
                    let_go(message.body)
                return outcome

            outcome = await ctx.offload(handle)
            await store_bit_by_bit(ctx, outcome.entries)
            if outcome.changes is not None:
                self._react(outcome.changes)
            if outcome.screened is not None:
                self._settle(connection, outcome.screened)
            self._say(outcome)
        self._pass_on(connection, message, originals)

    async def _beside_if_large(self, work: Callable[[], Outcome]) -> Outcome:
        """Ask the replica something of the room's own accord."""
        return await self.ctx.offload(work) if is_large(self._replica) else work()

    def _say_much(self, outcome: Outcome) -> None:
        """Send what is paced. After a large answer others have their turn, and may get the same."""
        for paced in outcome.paced:
            self._paced.begin(paced)
        self._paced.took_turn()
        self._timetable.wake_at(self.ctx.monotonic() + _TEXT_SECONDS, self._forget_text)

    def _forget_text(self) -> None:
        """Whoever joined together has what was kept for all of them."""
        if self._paced.crowded():
            self._timetable.wake_at(self.ctx.monotonic() + _TEXT_SECONDS, self._forget_text)
        elif self._replica is not None:
            self._replica.forget_text()
