"""One live instance of an object at a time, and how it begins (B).

Workers stand on one database in memory. Each has a clock of its own, so that one of them can stand
still, as a paused process does, while time goes on for the database and the others. The same with
processes that are killed and stopped, on Postgres: tests/cluster/test_pauses_and_takeovers.py and
test_counter_under_kills.py.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import ClassVar

import pytest

from app.core.errors import LeaseLost, ObjectFault, OwnedElsewhere, OwnershipLost, StateroomError
from app.sdk import AlarmInfo, Context, DurableObject, Request, Response
from app.testing.clock import FakeClock
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryDatabase
from tests.conformance.held import Call, begin
from tests.conformance.verdicts import differs

LEASE_SECONDS = 3.0
STEP_SECONDS = 0.5


class Witness(DurableObject):
    """Writes down under which ownership each of its events has run."""

    starts: ClassVar[int] = 0
    failing: ClassVar[str] = ""
    gate: ClassVar[asyncio.Event]

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        Witness.starts += 1
        if Witness.failing == "constructor":
            raise ValueError("the constructor says no")

    async def on_start(self) -> None:
        if Witness.failing == "on_start":
            raise ValueError("the start says no")
        self.in_memory = 0

    async def write(self) -> int:
        """Add a line to what is stored, with awaits between; return how many there are."""
        epoch = (await self.ctx.storage.sync()).epoch
        lines: list[int] = await self.ctx.storage.get("lines", [])
        await self.ctx.breathe()
        self.ctx.storage.put("lines", [*lines, epoch])
        return len(lines) + 1

    async def remember(self) -> int:
        """Touch no storage."""
        self.in_memory += 1
        await Witness.gate.wait()
        return self.in_memory

    async def write_late(self) -> None:
        await Witness.gate.wait()
        self.ctx.storage.put("lines", [-1])

    async def clear(self) -> None:
        self.ctx.storage.delete_all()

    async def wake_later(self) -> None:
        self.ctx.storage.set_alarm(self.ctx.now() + 600_000)

    async def on_alarm(self, info: AlarmInfo) -> None:
        """It only has to exist."""

    async def on_request(self, request: Request) -> Response:
        return Response(body=str(await getattr(self, request.path)()))


class Cluster:
    """Some workers on one database, and time that passes for some of them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._clock = FakeClock()
        self.database = MemoryDatabase(self._clock)
        self.workers: list[ObjectHarness] = []
        self._behind: dict[ObjectHarness, float] = {}

    async def worker(self) -> ObjectHarness:
        """Another worker, which takes part in time."""
        made = ObjectHarness(
            {"witness": Witness},
            database=self.database,
            clock=FakeClock(),
            node=f"node-{len(self.workers)}",
        )
        await self._stack.enter_async_context(made)
        self.workers.append(made)
        return made

    def pause(self, worker: ObjectHarness) -> None:
        """Let time stand still for a worker."""
        self._behind.setdefault(worker, 0.0)

    async def go_on(self, worker: ObjectHarness, *, aware: bool) -> None:
        """Let a worker go on. `aware`: its clock has run on, as ours does through a suspension."""
        missed = self._behind.pop(worker, 0.0)
        if aware:
            worker.clock.advance(missed)
        await worker.settle()

    async def advance(self, seconds: float) -> None:
        """Let time pass for the database and for all workers that do not stand still."""
        for _ in range(round(seconds / STEP_SECONDS)):
            self._clock.advance(STEP_SECONDS)
            for worker in self.workers:
                if worker in self._behind:
                    self._behind[worker] += STEP_SECONDS
                else:
                    worker.clock.advance(STEP_SECONDS)
            await self.workers[0].settle()

    def lines(self) -> Sequence[int]:
        """What is stored."""
        found: list[int] = self.workers[0].contents("witness", "a").get("lines", [])
        return found


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    Witness.starts = 0
    Witness.failing = ""
    Witness.gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        made = Cluster(stack)
        yield made
        for worker in made.workers:
            await made.go_on(worker, aware=True)


def ask(worker: ObjectHarness, method: str) -> Call:
    """Begin an event of the object at this very worker."""
    return begin(worker.request("witness", "a", Request(path=method)))


async def test_022_first_calls_that_come_together_make_one_instance(cluster: Cluster) -> None:
    """Calls that reach an object at once before it has started are served by one instance."""
    worker = await cluster.worker()
    answers = await asyncio.gather(*(worker.stub("witness", "a").write() for _ in range(20)))
    assert sorted(answers) == list(range(1, 21))
    assert Witness.starts == 1


@pytest.mark.parametrize("seed", range(5))
async def test_023_no_two_workers_have_committed_effects_at_once(
    cluster: Cluster, seed: int
) -> None:
    """Whichever workers are called, pause and go on: an object's stored effects have one owner."""
    chance = random.Random(seed)
    workers = [await cluster.worker() for _ in range(3)]
    owners: dict[int, ObjectHarness] = {}
    told: list[tuple[int, ObjectHarness]] = []
    pending: list[tuple[Call, ObjectHarness]] = []
    for _ in range(100):
        worker = chance.choice(workers)
        match chance.randrange(8):
            case 0:
                cluster.pause(worker)
            case 1 | 2:
                await cluster.go_on(worker, aware=chance.random() < 0.5)
            case 3:
                await cluster.advance(chance.choice([0.5, 1.0, LEASE_SECONDS + 1]))
            case _:
                pending.append((ask(worker, "write"), worker))
        await worker.settle()
        for call, at in [each for each in pending if each[0].done()]:
            pending.remove((call, at))
            if call.exception() is None:
                told.append((int(call.result().body), at))
            else:
                assert isinstance(call.exception(), StateroomError)
    lines = cluster.lines()
    assert list(lines) == sorted(lines), "an owner wrote after its successor"
    assert told, "nothing was shown"
    for number, at in told:
        assert owners.setdefault(lines[number - 1], at) is at, "two workers under one epoch"


@pytest.mark.parametrize("aware", [False, True])
async def test_024_a_replaced_owner_cannot_write(cluster: Cluster, *, aware: bool) -> None:
    """An owner that was replaced and then writes gets an error, and nothing of it is stored."""
    former, other = await cluster.worker(), await cluster.worker()
    await ask(former, "write")
    late = ask(former, "write_late")
    await former.settle()
    cluster.pause(former)
    await cluster.advance(LEASE_SECONDS + 1)
    await ask(other, "write")
    Witness.gate.set()
    await cluster.go_on(former, aware=aware)
    with pytest.raises((OwnershipLost, LeaseLost)):
        await late
    assert len(cluster.lines()) == 2
    assert -1 not in cluster.lines()


@differs("its answer is held back: before anything is said, the worker's lease is tested")
async def test_025_a_replaced_owner_that_stores_nothing_says_nothing_either(
    cluster: Cluster,
) -> None:
    """An owner that was replaced and never touches storage may end its event without an error."""
    former, other = await cluster.worker(), await cluster.worker()
    late = ask(former, "remember")
    await former.settle()
    cluster.pause(former)
    await cluster.advance(LEASE_SECONDS + 1)
    await ask(other, "write")
    Witness.gate.set()
    await cluster.go_on(former, aware=True)
    with pytest.raises(LeaseLost):
        await late


@pytest.mark.parametrize("aware", [False, True])
async def test_026_a_worker_paused_past_its_lease_acknowledges_no_write(
    cluster: Cluster, *, aware: bool
) -> None:
    """A worker that stood still for longer than its lease and goes on acknowledges no write.

    Nor does it when nobody has taken the object meanwhile and it does notice. With processes that
    are stopped, on Postgres: tests/cluster/test_pauses_and_takeovers.py.
    """
    paused, other = await cluster.worker(), await cluster.worker()
    await ask(paused, "write")
    cluster.pause(paused)
    await cluster.advance(LEASE_SECONDS + 1)
    if not aware:
        await ask(other, "write")
    before = list(cluster.lines())
    late = ask(paused, "write")
    await cluster.go_on(paused, aware=aware)
    with pytest.raises(StateroomError) as refused:
        await late
    assert refused.value.retryable
    assert list(cluster.lines()) == before


async def test_027_another_worker_serves_the_object_of_a_dead_one_within_the_lease(
    cluster: Cluster,
) -> None:
    """After its worker died, an object is served elsewhere within the lease, with all it was told.

    With processes that are killed, on Postgres: tests/cluster/test_counter_under_kills.py.
    """
    dead, other = await cluster.worker(), await cluster.worker()
    for _ in range(3):
        await ask(dead, "write")
    cluster.pause(dead)  # for ever: nothing of it runs again before the test is over
    calling = begin(other.stub("witness", "a").write())
    await cluster.advance(LEASE_SECONDS - 1)
    assert not calling.done()
    await cluster.advance(1.5)
    assert await calling == 4


@pytest.mark.parametrize("way", ["stored nothing", "deleted everything"])
async def test_028_an_object_that_stores_nothing_does_not_exist(cluster: Cluster, way: str) -> None:
    """An object that stores nothing when it leaves its worker is not among those that exist."""
    worker = await cluster.worker()
    if way == "deleted everything":
        await ask(worker, "write")
        await ask(worker, "clear")
    else:
        Witness.gate.set()
        await ask(worker, "remember")
    assert len(worker.registry) == 1
    await cluster.advance(90)
    assert len(worker.registry) == 0
    assert not cluster.database.objects


async def test_029_an_alarm_alone_makes_an_object_exist_until_everything_is_deleted(
    cluster: Cluster,
) -> None:
    """An object that has only set its alarm exists; after `delete_all` it does no more."""
    worker = await cluster.worker()
    await ask(worker, "wake_later")
    await cluster.advance(90)
    assert len(worker.registry) == 0
    assert [each.object_id.name for each in cluster.database.objects.values()] == ["a"]
    await ask(worker, "clear")
    await cluster.advance(90)
    assert not cluster.database.objects


@pytest.mark.parametrize("where", ["constructor", "on_start"])
async def test_030_a_failing_start_fails_its_call_and_the_next_call_starts_again(
    cluster: Cluster, where: str
) -> None:
    """What the constructor raises reaches the caller as the object's; the next call tries again."""
    worker = await cluster.worker()
    Witness.failing = where
    stub = worker.stub("witness", "a")
    with pytest.raises(ObjectFault, match="says no") as failed:
        await stub.write()
    assert failed.value.remote
    assert failed.value.object_id == str(stub.id)
    assert failed.value.class_name == "ValueError"
    Witness.failing = ""
    assert await stub.write() == 1
    assert Witness.starts == 2


async def test_an_object_that_is_held_elsewhere_is_refused_here(cluster: Cluster) -> None:
    holder, other = await cluster.worker(), await cluster.worker()
    await ask(holder, "write")
    with pytest.raises(OwnedElsewhere):
        await ask(other, "write")
