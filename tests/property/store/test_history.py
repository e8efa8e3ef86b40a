"""Random histories: every state that a bookmark names is the one that was, read and restored."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.core.history import HistoryRule, ObjectHistory
from app.core.ids import CommitSeq, ObjectId
from app.core.ports import Committer, ObjectStore
from app.core.values import CommitResult, KeyRange
from app.store.database import Database
from app.store.driver import ConnectTarget
from tests.contract.worlds import MemoryWorld, PostgresWorld, World, live_worker
from tests.doubles.batch_source import Lease, Writes, commit

KEPT = HistoryRule(seconds=86_400, size_bytes=1 << 30)
BOOKMARKS = 100

Rows = dict[bytes, bytes]

_KEYS = st.sampled_from([b"", b"a", b"b", b"b\0", b"c", b"\xff"])
_ENTRIES = st.dictionaries(_KEYS, st.one_of(st.none(), st.binary(max_size=3)), max_size=4)


@dataclass(frozen=True)
class Step:
    """One commit: writes, a wipe with them, or a restoration of a share of the way back."""

    entries: dict[bytes, bytes | None]
    wipe: bool
    back: float | None


_STEPS = st.lists(
    st.builds(
        Step,
        entries=_ENTRIES,
        wipe=st.sampled_from([False] * 5 + [True]),
        back=st.one_of(st.none(), st.none(), st.none(), st.floats(0, 1)),
    ),
    min_size=1,
    max_size=12,
)


class Past:
    """An object, and its rows after each commit as a dict had them."""

    def __init__(self, world: World, committer: Committer, writes: Writes) -> None:
        self.store: ObjectStore = world.store
        self.history: ObjectHistory = world.history
        self.committer = committer
        self.writes = writes
        self.object_id: ObjectId = writes.claim.object_id
        self.states: list[Rows] = [{}]

    async def step(self, step: Step) -> None:
        if step.back is not None:
            await self.restore(int(step.back * (len(self.states) - 1)))
            return
        outcome = await commit(self.committer, self.writes, step.entries, wipe=step.wipe)
        assert outcome.result is CommitResult.COMMITTED
        rows = {} if step.wipe else dict(self.states[-1])
        for key, value in step.entries.items():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        self.states.append(rows)

    async def restore(self, number: int) -> None:
        before = len(self.writes.outcomes)
        self.committer.enqueue(self.writes.restore(CommitSeq(number)))
        assert (await self.writes.answer(before)).result is CommitResult.COMMITTED
        self.states.append(dict(self.states[number]))

    async def check(self, number: int) -> None:
        page = await self.history.scan(self.object_id, CommitSeq(number), KeyRange())
        assert dict(page.rows) == self.states[number]

    async def check_now(self) -> None:
        page = await self.store.scan(self.object_id, KeyRange())
        assert dict(page.rows) == self.states[-1]


async def past_in(world: World) -> Past:
    world.keep_history(KEPT)
    worker_id = await live_worker(world)
    object_id = world.object_ids.from_name("notes", str(worker_id))
    claim = await world.store.claim(object_id, worker_id)
    return Past(world, await world.committer(worker_id, Lease()), Writes(claim))


@settings(max_examples=40, deadline=None)
@given(steps=_STEPS)
def test_every_state_of_a_random_history_is_told_and_restored(steps: list[Step]) -> None:
    async def run() -> None:
        past = await past_in(MemoryWorld())
        for step in steps:
            await past.step(step)
            await past.check_now()
        for number in range(len(past.states)):
            await past.check(number)

    asyncio.run(run())


@asynccontextmanager
async def postgres_world(url: str) -> AsyncIterator[PostgresWorld]:
    async with AsyncExitStack() as stack:
        database = await Database.open(ConnectTarget.from_url(url), patience_seconds=5)
        stack.push_async_callback(database.close)
        yield PostgresWorld(database, stack)


def steps_of(noise: bytes) -> list[Step]:
    """One commit for every four bytes."""
    keys = [b"", b"a", b"b", b"b\0", b"c", b"\xff"]
    steps: list[Step] = []
    for at in range(0, len(noise), 4):
        first, second, value, kind = noise[at : at + 4]
        entries: dict[bytes, bytes | None] = {
            keys[first % 6]: bytes((value,)),
            keys[second % 6]: None if kind % 3 == 0 else bytes((first,)),
        }
        steps.append(Step(entries=entries, wipe=kind % 17 == 16, back=None))
    return steps


# The first example is the simplest there is, and says little. What fails is not made smaller.
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    noise=st.binary(min_size=4 * BOOKMARKS, max_size=4 * BOOKMARKS),
    chosen=st.binary(min_size=BOOKMARKS, max_size=BOOKMARKS),
)
def test_any_of_a_hundred_bookmarks_is_restored_on_postgres(
    database_url: str, noise: bytes, chosen: bytes
) -> None:
    async def run() -> None:
        async with postgres_world(database_url) as world:
            past = await past_in(world)
            for step in steps_of(noise):
                await past.step(step)
            for share in chosen:
                await past.restore(share * BOOKMARKS // 255)
                await past.check_now()
            for number in range(0, len(past.states), 7):
                await past.check(number)

    asyncio.run(run())
