"""Writing whole objects that come from a backup: the one place where they are applied.

An object that nobody uses is claimed by this worker, written in one commit and given back; its
claim proves that it is ours, so no side door is needed (architecture, invariant 6). Many objects
are claimed first and then committed together. One that is live, here or elsewhere, is written by
its owner in an event of its own. Either way it is there whole or not at all; whoever is killed
in between leaves the objects of whole commits.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..core.backup import ArrivingObject, BackupSource, Staging, Standing
from ..core.backup_lines import alarm_line, row_line
from ..core.errors import (
    ObjectFrozen,
    ObjectIsLive,
    ObjectNotEmpty,
    OwnedElsewhere,
    OwnershipLost,
    StateroomError,
    StoreUnavailable,
)
from ..core.ports import Committer
from ..core.values import Claim, CommitOutcome, CommitResult, WriteBatch
from ..room.steered_import import IMPORT_OBJECT
from .registry import RoomRegistry
from .steering import Steering

_TRIES: Final = 3
"""Of an object that another owner took in the very moment."""


class ImportMode(StrEnum):
    """What becomes of an object that stores something already.

    IF_EMPTY: it is left alone; if it stores just that, it is skipped, else refused. REPLACE: it
    becomes what the backup says. MERGE: rows of the backup win, others stay.
    """

    IF_EMPTY = "if-empty"
    REPLACE = "replace"
    MERGE = "merge"


class Fate(StrEnum):
    """What became of an object."""

    IMPORTED = "imported"
    SKIPPED = "skipped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Landed:
    """How the writing of one object ended; `error` says why it was refused."""

    fate: Fate
    error: StateroomError | None = None


IMPORTED: Final = Landed(Fate.IMPORTED)
SKIPPED: Final = Landed(Fate.SKIPPED)


class Lander:
    """See the module.

    Args:
        registry: The rooms of this worker; claims for it.
        source: Tells what is there already.
        staging: Commits what is large.
        steering: The way to live objects.
    """

    def __init__(
        self,
        registry: RoomRegistry,
        *,
        source: BackupSource,
        staging: Staging,
        steering: Steering,
    ) -> None:
        self._registry = registry
        self._source = source
        self._staging = staging
        self._steering = steering

    async def weigh(self, arrivals: Sequence[ArrivingObject], mode: ImportMode) -> list[Landed]:
        """Say what `land` would do, as far as what is committed tells; nothing is changed.

        Raises:
            StoreUnavailable: The database is away.
        """
        if mode is not ImportMode.IF_EMPTY:
            return [IMPORTED] * len(arrivals)
        there = await self._source.standing([each.object_id.uuid for each in arrivals])
        return [_weighed(each, there.get(each.object_id.uuid)) for each in arrivals]

    async def land(self, arrivals: Sequence[ArrivingObject], mode: ImportMode) -> list[Landed]:
        """Write objects, each whole or not at all; what became of each, in their order.

        No object may stand twice among them. Cancelled, it leaves some of them written.

        Raises:
            StoreUnavailable: The database is away, so nothing of them was written.
        """
        landed = dict(enumerate(await self.weigh(arrivals, mode)))
        waiting = [number for number, each in landed.items() if each.fate is Fate.IMPORTED]
        for _ in range(_TRIES):
            waiting = await self._try(arrivals, waiting, mode, landed)
            if not waiting:
                break
        for number in waiting:
            landed[number] = Landed(Fate.REFUSED, OwnershipLost())
        return [landed[number] for number in range(len(arrivals))]

    async def _try(
        self,
        arrivals: Sequence[ArrivingObject],
        waiting: Sequence[int],
        mode: ImportMode,
        landed: dict[int, Landed],
    ) -> list[int]:
        """Write those that wait; returns those that are to be tried again."""
        live = [n for n in waiting if arrivals[n].object_id in self._registry]
        quiet = [n for n in waiting if n not in set(live)]
        again: list[int] = []
        done = await self._write_all([arrivals[n] for n in quiet], mode)
        for number, error in zip(quiet, done, strict=True):
            if isinstance(error, OwnedElsewhere):
                live.append(number)
            elif isinstance(error, OwnershipLost):
                again.append(number)
            else:
                landed[number] = IMPORTED if error is None else Landed(Fate.REFUSED, error)
        for number in live:
            landed[number] = await self._ask(arrivals[number], mode)
        return again

    async def _write_all(
        self, arrivals: Sequence[ArrivingObject], mode: ImportMode
    ) -> list[StateroomError | None]:
        """Write objects that nobody has here; each with why not."""
        objects = [arrival.object_id for arrival in arrivals]
        reservations = self._registry.reservations
        async with (
            reservations.hold(objects),
            reservations.new(objects, self._staging) as claims,
        ):
            return await asyncio.gather(
                *(
                    self._write(arrival, mode)
                    if (claim := claims.get(arrival.object_id.uuid)) is None
                    else self._write_claimed(claim, arrival, mode)
                    for arrival in arrivals
                )
            )

    async def _write(self, arrival: ArrivingObject, mode: ImportMode) -> StateroomError | None:
        """Claim a reserved object, write it and give it back; returns why not."""
        try:
            async with self._registry.reservations.claimed(arrival.object_id) as claim:
                return await self._write_claimed(claim, arrival, mode)
        except StateroomError as error:
            return error

    async def _write_claimed(
        self, claim: Claim, arrival: ArrivingObject, mode: ImportMode
    ) -> StateroomError | None:
        try:
            await self._check(claim, mode)
            outcome = await self._commit(claim, arrival, mode)
        except StateroomError as error:
            return error
        if outcome.result is CommitResult.COMMITTED:
            return None
        return outcome.error if isinstance(outcome.error, StateroomError) else StoreUnavailable()

    async def _check(self, claim: Claim, mode: ImportMode) -> None:
        if claim.frozen:
            raise ObjectFrozen
        if mode is ImportMode.IF_EMPTY and claim.commit_seq:
            page = await self._registry.reservations.store.load(claim, rows=1, size_bytes=1)
            if page.rows or page.alarmed:
                raise ObjectNotEmpty

    async def _commit(
        self, claim: Claim, arrival: ArrivingObject, mode: ImportMode
    ) -> CommitOutcome:
        rows = arrival.rows
        batch = WriteBatch(
            object_id=claim.object_id,
            epoch=claim.epoch,
            expected=claim.commit_seq,
            wipe=mode is ImportMode.REPLACE and claim.commit_seq > 0,
            entries=rows or {},
            size_bytes=0 if rows is None else arrival.digest.size_bytes,
            alarms=arrival.alarms,
        )
        if rows is not None:
            return await _OneBatch(batch).committed(self._registry.reservations.committer)
        if arrival.staging_id is None:  # it was equal to what is there, and is not any more
            raise ObjectIsLive
        return await self._staging.move(
            arrival.staging_id, batch, claim.worker_id, rows=arrival.digest.rows
        )

    async def _ask(self, arrival: ArrivingObject, mode: ImportMode) -> Landed:
        """Have the object's owner write it."""
        if arrival.rows is None:
            return Landed(Fate.REFUSED, ObjectIsLive())
        lines = [row_line(key, value) for key, value in arrival.rows.items()]
        lines += [alarm_line(name, alarm) for name, alarm in arrival.alarms.items()]
        try:
            await self._steering.ask(
                arrival.object_id, IMPORT_OBJECT, {"mode": mode.value}, b"".join(lines)
            )
        except StateroomError as error:
            return Landed(Fate.REFUSED, error)
        return IMPORTED


class _OneBatch:
    """A source that has one batch and waits for its outcome."""

    def __init__(self, batch: WriteBatch) -> None:
        self._batch: WriteBatch | None = batch
        self._outcome: asyncio.Future[CommitOutcome] = asyncio.get_running_loop().create_future()

    async def committed(self, committer: Committer) -> CommitOutcome:
        """Commit it. The committer settles every batch while the lease holds, and after."""
        committer.enqueue(self)
        return await self._outcome

    def take_batch(self) -> WriteBatch | None:
        """See `BatchSource.take_batch`."""
        batch, self._batch = self._batch, None
        return batch

    def settle(self, outcome: CommitOutcome) -> None:
        """See `BatchSource.settle`."""
        if not self._outcome.done():
            self._outcome.set_result(outcome)


def _weighed(arrival: ArrivingObject, there: Standing | None) -> Landed:
    if there is None:
        return IMPORTED
    if there.digest == arrival.digest:
        return SKIPPED
    return Landed(Fate.REFUSED, ObjectNotEmpty())
