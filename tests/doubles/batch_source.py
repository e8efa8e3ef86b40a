"""A room's writes without a room: the committer's other half, driven by hand."""

import asyncio
from collections.abc import Mapping

from app.core.ids import CommitSeq
from app.core.ports import Committer
from app.core.values import (
    NO_ALARMS,
    Alarm,
    AlarmWrites,
    Claim,
    CommitOutcome,
    CommitResult,
    WriteBatch,
)

ANSWER_SECONDS = 20.0


class Writes:
    """The writes of one object under one claim.

    What is put or deleted waits until the committer takes it. `outcomes` has every answer.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.expected = claim.commit_seq
        self.outcomes: list[CommitOutcome] = []
        self.taken: list[WriteBatch] = []
        self._entries: dict[bytes, bytes | None] = {}
        self._alarms: dict[str, Alarm | None] = {}
        self._wipe = False
        self._restore: CommitSeq | None = None
        self._asked = False
        self._answered = asyncio.Event()
        self._taken = asyncio.Event()

    def put(
        self,
        entries: Mapping[bytes, bytes | None],
        *,
        wipe: bool = False,
        alarms: AlarmWrites = NO_ALARMS,
    ) -> "Writes":
        """Add writes (None deletes); an empty mapping makes an empty batch."""
        if wipe:
            self._entries.clear()
            self._alarms.clear()
        self._entries.update(entries)
        self._alarms.update(alarms)
        self._wipe = self._wipe or wipe
        self._asked = True
        return self

    def restore(self, commit_seq: CommitSeq) -> "Writes":
        """Ask for the rows as they were after a commit; nothing else may be asked for with it."""
        self._restore = commit_seq
        self._asked = True
        return self

    def take_batch(self) -> WriteBatch | None:
        if not self._asked:
            return None
        entries, self._entries = self._entries, {}
        alarms, self._alarms = self._alarms, {}
        size = sum(len(key) + len(value or b"") for key, value in entries.items())
        batch = WriteBatch(
            object_id=self.claim.object_id,
            epoch=self.claim.epoch,
            expected=self.expected,
            wipe=self._wipe,
            entries=entries,
            size_bytes=size,
            alarms=alarms,
            restore=self._restore,
        )
        self._wipe = self._asked = False
        self._restore = None
        self.taken.append(batch)
        self._taken.set()
        return batch

    def settle(self, outcome: CommitOutcome) -> None:
        self.outcomes.append(outcome)
        if outcome.result is CommitResult.COMMITTED:
            self.expected = CommitSeq(outcome.commit_seq)
        self._answered.set()

    async def taken_once(self) -> None:
        """Wait until the committer has taken a batch."""
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._taken.wait()

    async def answer(self, number: int) -> CommitOutcome:
        """The outcome with that number, counted from 0."""
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(self.outcomes) <= number:
                self._answered.clear()
                await self._answered.wait()
        return self.outcomes[number]


async def commit(
    committer: Committer,
    writes: Writes,
    entries: Mapping[bytes, bytes | None],
    *,
    wipe: bool = False,
    alarms: AlarmWrites = NO_ALARMS,
) -> CommitOutcome:
    """Put, enqueue and wait for the answer."""
    number = len(writes.outcomes)
    committer.enqueue(writes.put(entries, wipe=wipe, alarms=alarms))
    return await writes.answer(number)


class Lease:
    """A lease that ends when the test says so."""

    def __init__(self) -> None:
        self.held = True

    def holds(self) -> bool:
        return self.held
