"""Each life of a worker has a committer of its own."""

import uuid

import pytest

from app.cluster.lives import CommitterOfThisLife
from app.core.errors import StoreUnavailable
from app.core.ids import ObjectIds, WorkerId
from app.core.ports import BatchSource, LeaseCheck
from app.testing.memory import MemoryDatabase, MemoryObjectStore
from tests.doubles.batch_source import Writes


class NotingCommitter:
    """Writes down what happens to it."""

    def __init__(self, worker_id: WorkerId) -> None:
        self.worker_id = worker_id
        self.done: list[object] = []
        self.fails = False

    def enqueue(self, source: BatchSource) -> None:
        self.done.append(source)

    async def start(self) -> None:
        if self.fails:
            raise StoreUnavailable
        self.done.append("start")

    async def close(self, *, seconds: float = 5.0) -> None:
        self.done.append("close" if seconds else "close at once")


class Held:
    """A lease that holds."""

    def holds(self) -> bool:
        return True


class Bench:
    """A committer of this life; the committers it made."""

    def __init__(self) -> None:
        self.made: list[NotingCommitter] = []
        self.fails = False
        self.committer = CommitterOfThisLife(self._make)

    def _make(self, worker_id: WorkerId, lease: LeaseCheck) -> NotingCommitter:
        assert lease.holds()
        made = NotingCommitter(worker_id)
        made.fails = self.fails
        self.made.append(made)
        return made


async def _begin(bench: Bench) -> WorkerId:
    worker_id = WorkerId(uuid.uuid4())
    await bench.committer.begin(worker_id, Held())
    return worker_id


@pytest.fixture
async def writes() -> Writes:
    database = MemoryDatabase()
    object_id = ObjectIds(b"key of a cluster").from_name("lives", "x")
    return Writes(await MemoryObjectStore(database).claim(object_id, database.add_worker()))


async def test_a_new_life_ends_the_committer_of_the_former_one_first(writes: Writes) -> None:
    bench = Bench()
    first = await _begin(bench)
    bench.committer.enqueue(writes)
    second = await _begin(bench)
    bench.committer.enqueue(writes)
    assert [made.worker_id for made in bench.made] == [first, second]
    assert [made.done for made in bench.made] == [
        ["start", writes, "close at once"],
        ["start", writes],
    ]


async def test_before_the_first_life_nothing_can_be_committed(writes: Writes) -> None:
    with pytest.raises(StoreUnavailable, match="no life"):
        Bench().committer.enqueue(writes)


async def test_a_life_that_could_not_begin_commits_nothing(writes: Writes) -> None:
    bench = Bench()
    await _begin(bench)
    bench.fails = True
    with pytest.raises(StoreUnavailable):
        await _begin(bench)
    with pytest.raises(StoreUnavailable):
        bench.committer.enqueue(writes)


async def test_closing_ends_the_present_life_once() -> None:
    bench = Bench()
    await _begin(bench)
    await bench.committer.close()
    await bench.committer.close()
    assert bench.made[0].done == ["start", "close"]
