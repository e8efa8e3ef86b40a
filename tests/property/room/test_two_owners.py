"""Two workers, one object, leases that run out, a worker that is stopped at any instant.

Whatever the order: no write is lost that somebody was told of, and no two workers speak for the
object in one epoch.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.core.errors import StateroomError
from app.core.tasks import TaskOwner
from app.sdk import Connection, DurableObject
from app.testing.clock import FakeClock
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryDatabase
from app.testing.sockets import MemorySocket

_WORKERS = st.sampled_from([0, 1])


class Ledger(DurableObject):
    """Keeps every line it is told, and says so."""

    async def on_start(self) -> None:
        self.lines: list[str] = await self.ctx.storage.get("lines", [])

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        line = str(message)
        self.lines = [*self.lines, line]
        self.ctx.storage.put("lines", self.lines)
        connection.send(f"{line} {len(self.lines)}")


class TwoOwners(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.database = MemoryDatabase(self.clock)
        self.workers: list[ObjectHarness] = []
        self.sockets: list[list[MemorySocket]] = [[], []]
        self.told: list[str] = []
        self.lines = 0
        self.tasks = TaskOwner("test")

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def start(self) -> None:
        async def begin() -> None:
            for node in ("one", "two"):
                harness = ObjectHarness(
                    {"ledger": Ledger}, database=self.database, clock=self.clock, node=node
                )
                await harness.__aenter__()
                self.workers.append(harness)

        self.run(begin())

    def teardown(self) -> None:
        async def end() -> None:
            for harness in self.workers:
                await harness.__aexit__(None, None, None)
            await self.tasks.close()

        self.run(end())
        self.loop.close()

    async def settle(self) -> None:
        for harness in self.workers:
            await harness.settle()

    @rule(worker=_WORKERS)
    def join(self, worker: int) -> None:
        async def connect() -> None:
            harness = self.workers[worker]
            joining = self.tasks.start(self._join(harness, worker), name="join")
            await self.settle()
            if not joining.done():
                joining.cancel()

        self.run(connect())

    async def _join(self, harness: ObjectHarness, worker: int) -> None:
        with suppress(StateroomError):  # held elsewhere, or no lease at the moment
            self.sockets[worker].append(await harness.connect("ledger", "a"))

    @rule(worker=_WORKERS)
    def say(self, worker: int) -> None:
        async def say() -> None:
            for socket in self.sockets[worker]:
                if socket.closed is None and not socket.aborted:
                    self.lines += 1
                    socket.say(f"line-{self.lines}")
            await self.settle()

        self.run(say())

    @rule(worker=_WORKERS)
    def hold_commits(self, worker: int) -> None:
        self.workers[worker].committer.hold()

    @rule(worker=_WORKERS)
    def send_commits(self, worker: int) -> None:
        async def take() -> None:
            self.workers[worker].committer.take()
            await self.settle()

        self.run(take())

    @rule(worker=_WORKERS)
    def release_commits(self, worker: int) -> None:
        async def release() -> None:
            committer = self.workers[worker].committer
            committer.settle()
            committer.release()
            await self.settle()

        self.run(release())

    @rule(seconds=st.sampled_from([0.3, 1.0, 2.0]))
    def time_passes(self, seconds: float) -> None:
        async def advance() -> None:
            await self.workers[0].advance(seconds)
            await self.settle()

        self.run(advance())

    @rule()
    def everything_stops_for_a_while(self) -> None:
        """All leases run out before anybody looks."""

        async def jump() -> None:
            self.clock.advance(5.0)
            await self.settle()

        self.run(jump())

    @rule(worker=_WORKERS)
    def bury(self, worker: int) -> None:
        """Somebody else says that the worker is dead."""

        async def kill() -> None:
            self.database.workers[self.workers[worker].membership.worker_id].dead = True
            await self.settle()

        self.run(kill())

    @invariant()
    def who_was_told_finds_his_line_in_the_database(self) -> None:
        for sockets in self.sockets:
            for socket in sockets:
                self.told += [str(text).partition(" ")[0] for text in socket.take()]
        if not self.workers:
            return
        stored = self.workers[0].stored("ledger", "a").get(b"lines", b"")
        for line in self.told:
            assert f'"{line}"'.encode() in stored

    @invariant()
    def every_commit_follows_the_one_before(self) -> None:
        batches = [batch for harness in self.workers for batch in harness.committer.committed]
        numbers = sorted(batch.expected for batch in batches)
        assert numbers == list(range(len(numbers)))
        by_number = sorted(batches, key=lambda batch: batch.expected)
        epochs = [batch.epoch for batch in by_number]
        assert epochs == sorted(epochs)

    @invariant()
    def at_most_one_worker_holds_the_object_under_a_lease(self) -> None:
        speaking = [
            room.lane.claim.epoch
            for harness in self.workers
            for room in harness.registry.rooms
            if harness.membership.holds() and room.open
        ]
        live = [
            harness
            for harness in self.workers
            if self.database.live(harness.membership.worker_id)
            and any(room.open for room in harness.registry.rooms)
        ]
        assert len(set(speaking)) == len(speaking)
        assert len(live) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_a_long_walk_at_random(seed: int) -> None:
    """Far more steps than Hypothesis takes; it is there to say which few were needed."""
    chance = random.Random(seed)
    owners = TwoOwners()
    owners.start()
    steps: list[Callable[[int], None]] = [
        owners.join,
        owners.say,
        owners.hold_commits,
        owners.send_commits,
        owners.release_commits,
        lambda _: owners.time_passes(chance.choice([0.3, 1.0, 2.0])),
        lambda _: owners.everything_stops_for_a_while(),
        owners.bury,
    ]
    for _ in range(500):
        chance.choices(steps, weights=[6, 12, 4, 6, 6, 4, 1, 1])[0](chance.randrange(2))
        owners.who_was_told_finds_his_line_in_the_database()
        owners.every_commit_follows_the_one_before()
        owners.at_most_one_worker_holds_the_object_under_a_lease()
    assert len(owners.told) > 10, "or the walk proves nothing"
    owners.teardown()


TestTwoOwners = TwoOwners.TestCase
TestTwoOwners.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
