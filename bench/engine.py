"""`python -m bench.engine`: the engine's cost of a message, without sockets and without Postgres.

Rooms with members whose sockets only count; a committer that keeps whoever has something to
commit until it is told to go on. So the way of a message falls into three parts, each timed over
all rooms at once: *receive* (socket sink, mailbox, hook, storage, end of the unit), *take* (the
batch is frozen for the committer), *settle* (confirmed: the gate opens, frames go to sockets).

Under `relaxed` frames leave in *receive*, and the other two hardly happen.

Microseconds of CPU, the least of many turns: what is more is the machine's other work. It tells
where the engine's own time goes; what a service makes of it is told by `python -m bench`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
import uuid
from typing import TYPE_CHECKING, NamedTuple

import uvloop
from rich.console import Console
from rich.table import Table

from app.core.clock import DatabaseClock, SystemClock
from app.core.ids import CommitSeq, ObjectIds, WorkerId
from app.core.mounts import Durability, Mount
from app.core.tasks import TaskOwner
from app.core.values import CommitOutcome, CommitResult
from app.room.environment import RoomEnvironment
from app.room.room import Room
from app.sdk import DurableObject, Request
from app.testing.memory import MemoryDatabase, MemoryObjectStore
from app.testing.memory_history import MemoryObjectHistory
from app.tinybase.room import TinyBaseRoom
from bench.hlc import HlcClock, digits
from bench.messages import broadcast, one_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from app.core.frames import OutgoingMessage
    from app.core.ports import BatchSource
    from app.core.values import WriteBatch
    from app.room.connections import RoomConnection
    from app.sdk import Connection

MESSAGES_A_TURN = 200
ROWS = 200


class Silent(DurableObject):
    """Hears and does nothing: what an event costs."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        """See the class."""


class Teller(DurableObject):
    """Says it to the others."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        """See the class."""
        self.ctx.broadcast(message, exclude=connection)


class Keeper(DurableObject):
    """Keeps one key and says it to the others."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        """See the class."""
        self.ctx.storage.put("last", message)
        self.ctx.broadcast(message, exclude=connection)


class CountingSocket:
    """A transport that does with frames what a real one does, but the write."""

    buffered_bytes = 0

    def __init__(self) -> None:
        self.writes = 0
        self.size = 0

    def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Take what would be written."""
        if len(messages) == 1:
            data = messages[0].frame
        else:
            data = b"".join([message.frame for message in messages])
        self.writes += 1
        self.size += len(data)

    def close(self, code: int, reason: str) -> None:
        """Nothing to close."""

    let_go = close

    def abort(self) -> None:
        """Nothing to drop."""

    def pause_reading(self) -> None:
        """Never asked: whoever drives the bench waits for its turn."""

    def resume_reading(self) -> None:
        """See above."""


class HeldCommits:
    """A committer that is driven by hand; what it commits is nowhere."""

    def __init__(self) -> None:
        self.waiting: list[BatchSource] = []
        self._taken: list[tuple[BatchSource, WriteBatch]] = []

    def enqueue(self, source: BatchSource) -> None:
        """See `core.ports.Committer`."""
        self.waiting.append(source)

    def take(self) -> None:
        """Take the batch of everybody who waits."""
        waiting, self.waiting = self.waiting, []
        for source in waiting:
            batch = source.take_batch()
            if batch is not None:
                self._taken.append((source, batch))

    def settle(self) -> None:
        """Confirm what was taken."""
        taken, self._taken = self._taken, []
        for source, batch in taken:
            source.settle(CommitOutcome(CommitResult.COMMITTED, CommitSeq(batch.expected + 1)))


class HeldLease:
    """A lease that does not end, and is looked at as a real one is."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._deadline = clock.monotonic() + 1e6

    def holds(self) -> bool:
        """See `core.ports.LeaseCheck`."""
        return self._clock.monotonic() < self._deadline


class Case(NamedTuple):
    """A class, how many sockets each room has, and how many messages come before a commit."""

    cls: type[DurableObject]
    durability: Durability
    members: int
    window: int

    @property
    def rooms(self) -> int:
        """So many that a turn has about the same number of messages in every case."""
        return max(1, MESSAGES_A_TURN // self.window)


class Cost(NamedTuple):
    """Microseconds a message."""

    receive: float
    take: float
    settle: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.receive + self.take + self.settle


class Stage:
    """The rooms of one case with their members."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._clock = SystemClock()
        self._commits = HeldCommits()
        self._tasks = TaskOwner("bench")
        self._hlc = HlcClock()
        self._number = 0
        self._members: list[list[RoomConnection]] = []
        self.rooms: list[Room] = []

    async def open(self) -> None:
        """Make rooms and join them."""
        database = MemoryDatabase(self._clock)
        store = MemoryObjectStore(database)
        worker = WorkerId(uuid.UUID(bytes=database.add_worker().bytes))
        clock = DatabaseClock(self._clock)
        now = self._clock.monotonic()
        clock.sample(database_ms=time.time_ns() // 1_000_000, sent=now, received=now)
        environment = RoomEnvironment(
            store=store,
            history=MemoryObjectHistory(database),
            committer=self._commits,
            lease=HeldLease(self._clock),
            clock=self._clock,
            database_clock=clock,
            tasks=self._tasks,
        )
        case = self._case
        mount = Mount(namespace="bench", cls=case.cls, durability=case.durability)
        ids = ObjectIds(b"bench")
        for number in range(case.rooms):
            claim = await store.claim(ids.from_name("bench", str(number)), worker)
            room = Room(mount=mount, environment=environment, claim=claim, gone=lambda _room: None)
            self.rooms.append(room)
            self._members.append(
                [
                    room.join(Request(path=f"/{number}"), CountingSocket(), f"{number}-{index}")
                    for index in range(case.members)
                ]
            )
        await self._rest()

    async def close(self) -> None:
        """Leave nothing behind."""
        await self._rest()
        for members in self._members:
            for member in members:
                member.ended(1000, "", clean=True)
        await self._rest()
        await self._tasks.close()

    async def turn(self) -> Cost:
        """Give every room its messages, and time the three parts."""
        messages = [self._messages() for _ in self.rooms]
        receive = _seconds(lambda: self._receive(messages))
        take = _seconds(self._commits.take)
        settle = _seconds(self._commits.settle)
        await self._rest()
        per_message = 1e6 / (self._case.window * len(self.rooms))
        return Cost(receive * per_message, take * per_message, settle * per_message)

    def _receive(self, messages: Iterable[list[str]]) -> None:
        for members, texts in zip(self._members, messages, strict=True):
            for number, text in enumerate(texts):
                members[number % len(members)].receive(text)

    def _messages(self) -> list[str]:
        texts = []
        for _ in range(self._case.window):
            self._number += 1
            change = one_cell(self._number, ROWS, digits(0, 5), self._hlc)
            texts.append(broadcast(change.remainder).decode())
        return texts

    async def _rest(self) -> None:
        """Let whatever else there is to do be done."""
        while self._commits.waiting or any(
            room.life.vitals.ended is not None for room in self.rooms
        ):
            await asyncio.sleep(0)
            self._commits.take()
            self._commits.settle()


def _seconds(work: Callable[[], None]) -> float:
    begun = time.process_time_ns()
    work()
    return (time.process_time_ns() - begun) / 1e9


async def measure(case: Case, turns: int) -> Cost:
    """The least cost of each part in so many turns."""
    stage = Stage(case)
    await stage.open()
    for _ in range(3):
        await stage.turn()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        costs = [await stage.turn() for _ in range(turns)]
    finally:
        gc.enable()
        gc.unfreeze()
    await stage.close()
    return Cost(*(min(column) for column in zip(*costs, strict=True)))


def _cases(classes: Sequence[type[DurableObject]]) -> list[Case]:
    shapes = ((2, 1), (5, 4), (100, 4))
    cases = [
        Case(cls, Durability.COMMIT, members, window)
        for cls in classes
        for members, window in shapes
    ]
    cases += [
        Case(cls, Durability.RELAXED, 2, 100) for cls in classes if cls in (Keeper, TinyBaseRoom)
    ]
    return cases


async def _main(turns: int, classes: Sequence[type[DurableObject]]) -> None:
    table = Table(title="Engine, us of CPU a message (least of the turns)")
    for heading in ("class", "durability", "members", "window", "receive", "take", "settle"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    table.add_column("message", justify="right")
    table.add_column("delivery", justify="right")
    for case in _cases(classes):
        cost = await measure(case, turns)
        table.add_row(
            case.cls.__name__,
            case.durability.value,
            str(case.members),
            str(case.window),
            *(f"{part:.2f}" for part in cost),
            f"{cost.total:.2f}",
            f"{cost.total / (case.members - 1):.3f}",
        )
    Console().print(table)


def main() -> None:
    """Run what the command line asks for."""
    known = {cls.__name__: cls for cls in (Silent, Teller, Keeper, TinyBaseRoom)}
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=__doc__)
    parser.add_argument("--turns", type=int, default=60, help="default: 60")
    parser.add_argument("--classes", nargs="*", choices=known, default=list(known))
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(options.turns, [known[name] for name in options.classes]))


if __name__ == "__main__":
    main()
