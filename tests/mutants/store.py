"""Faults of the store."""

from typing import Any

import asyncpg

from app.core.errors import OwnershipLost
from app.core.ids import CommitSeq, Epoch, ObjectId, WorkerId
from app.core.values import Claim, CommitOutcome, CommitResult, Page
from app.store import leases, storage, sweeping
from app.store.commit_path import CommitPath
from app.store.commit_statement import STATE, Flight
from app.store.driver import DriverConnection
from app.store.failures import Fault, classify
from app.store.hosts import Hosts
from app.store.storage import PostgresObjectStore
from app.store.wire_connection import WireConnection
from tests.mutants.commits import edit_commits

_LOCK = "    for no key update of o skip locked\n"
_ORDER = "    order by want.object_id\n"
_NUMBER = "\n      and o.commit_seq is not distinct from want.expected"
_NUMBER_ONE = " and o.commit_seq = $4"
_SAME_VERSION = (
    "      and o.epoch = seen.epoch and o.worker_id is not distinct from seen.worker_id\n"
)


def _edit(statement: str, old: str, new: str) -> str:
    assert old in statement, "the mutant no longer fits the statement it breaks"
    return statement.replace(old, new)


def fence_by_plain_select() -> None:
    """The row is locked only when it is updated, and nothing is tested again then."""
    edit_commits({_ORDER + _LOCK: "", _LOCK: ""})


def no_commit_number_check() -> None:
    """The epoch alone is the fence."""
    edit_commits({_NUMBER: "", _NUMBER_ONE: " and $4::int8 >= 0"})


def locks_as_they_come() -> None:
    """The rooms are locked in the order of the arrays, each lock is waited for."""
    waits = "    for no key update of o\n"
    edit_commits({_ORDER + _LOCK: waits, _LOCK: waits})


def settling_by_a_read() -> None:
    """What a read shows after a lost connection is believed."""
    original = CommitPath._after_error

    async def after_error(
        self: CommitPath,
        error: Exception,
        flights: list[Flight],
        busy: list[Flight],
        *,
        sent: bool,
    ) -> list[Flight]:
        if not sent or classify(error) is not Fault.LINK:
            return await original(self, error, flights, busy, sent=sent)
        connection = await self._connected()
        rows = await connection.fetch(STATE, [flight.batch.object_id.uuid for flight in flights])
        numbers = {row["object_id"]: row["commit_seq"] for row in rows}
        for flight in flights:
            if numbers.get(flight.batch.object_id.uuid, 0) > flight.number:
                self._committed(flight)
            else:
                self._lost(flight)
        return []

    _replace(CommitPath, "_after_error", after_error)


def renewal_revives_a_lease() -> None:
    """Neither state nor time is asked."""
    leases.RENEW = _edit(  # type: ignore[misc] # a mutant may overwrite what is final
        leases.RENEW,
        "and mine.state <> 'dead'\n  and mine.lease_expires_at > clock_timestamp()",
        "",
    )


def claim_without_compare_and_set() -> None:
    """The newest version of the row is taken for the one that was looked at."""
    storage.CLAIM = _edit(storage.CLAIM, _SAME_VERSION, "")  # type: ignore[misc] # likewise


_CLAIM_AND_LOAD = """
with taken as (
    update object o set worker_id = $2, epoch = nextval('object_epoch')
    where o.object_id = $1
      and not exists (
          select from worker w
          where w.worker_id = o.worker_id and w.state <> 'dead' and w.worker_id <> $2
      )
    returning o.epoch, o.commit_seq
)
select taken.epoch, taken.commit_seq, r.key, r.value
from taken left join object_row r on r.object_id = $1 order by r.key
"""


def load_in_the_claims_statement() -> None:
    """One statement saves a round trip, and misses the commit that it waited for."""
    original = PostgresObjectStore.claim
    loaded: dict[Epoch, Page] = {}

    async def claim(self: PostgresObjectStore, object_id: ObjectId, worker_id: WorkerId) -> Claim:
        rows = await self._database.fetch(_CLAIM_AND_LOAD, object_id.uuid, worker_id)
        if not rows:
            return await original(self, object_id, worker_id)
        epoch = Epoch(rows[0]["epoch"])
        found = [(row["key"], row["value"]) for row in rows if row["key"] is not None]
        loaded[epoch] = Page(rows=found, more=False)
        return Claim(
            object_id=object_id,
            worker_id=worker_id,
            epoch=epoch,
            commit_seq=CommitSeq(rows[0]["commit_seq"]),
        )

    original_load = PostgresObjectStore.load

    async def load(self: PostgresObjectStore, claim: Claim, *, rows: int, size_bytes: int) -> Page:
        try:
            return loaded.pop(claim.epoch)
        except KeyError:
            return await original_load(self, claim, rows=rows, size_bytes=size_bytes)

    _replace(PostgresObjectStore, "claim", claim)
    _replace(PostgresObjectStore, "load", load)


def one_bad_room_fails_the_group() -> None:
    """No halving."""

    async def halve(
        self: CommitPath, error: Exception, flights: list[Flight], busy: list[Flight]
    ) -> list[Flight]:
        assert error is not None
        assert busy is not None
        for flight in flights:
            self._settle(flight, _refused(flight))
        return []

    _replace(CommitPath, "_halve", halve)


def _refused(flight: Flight) -> CommitOutcome:
    return CommitOutcome(CommitResult.REFUSED, flight.batch.expected, OwnershipLost())


def statement_cache_behind_a_pooler() -> None:
    """The driver's default, which passes by luck while there is one connection."""
    connect = asyncpg.connect

    async def with_cache(*arguments: Any, **named: Any) -> Any:
        return await connect(*arguments, **{**named, "statement_cache_size": 100})

    _replace(asyncpg, "connect", with_cache)


def unreplicated_commit_counts() -> None:
    """The warning of a commit whose wait for the standby was cancelled is not listened to."""

    def warned(self: DriverConnection, *_: object) -> None:
        assert self is not None

    def never(self: WireConnection, *_: object) -> bool:
        assert self is not None
        return False

    _replace(DriverConnection, "_warned", warned)
    _replace(WireConnection, "_warned", never)


def overtaken_connections_are_used() -> None:
    """A connection is good as long as it is open, wherever it leads by now."""
    _replace(DriverConnection, "closed", property(lambda self: self._raw.is_closed()))
    _replace(WireConnection, "closed", property(lambda self: self._lost))


def former_primary_is_believed() -> None:
    """Whoever takes writes is the primary."""

    def check(self: Hosts, answer: object) -> None:
        assert self is not None
        assert answer is not None

    _replace(Hosts, "_check", check)


def sweep_takes_any_version() -> None:
    """What the sweep's snapshot said of a row is believed when the row is locked."""
    seen = "      and o.epoch = seen.epoch and o.worker_id = seen.worker_id and o.commit_seq = 0\n"
    mutated = _edit(sweeping.SWEEP_OBJECTS, seen, "      and o.commit_seq = 0\n")
    _replace(sweeping, "SWEEP_OBJECTS", mutated)


def _replace(owner: Any, name: str, new: Any) -> None:
    setattr(owner, name, new)
