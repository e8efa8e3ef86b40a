"""Several named alarms of one object, whatever is done to it, against what its log says.

The object writes down in its own storage, in the very commits, what it sets, deletes and runs. So
the log is true whatever was lost on the way: an event that raised, a commit that failed, a worker
that died in the middle. Read from the beginning it must make sense (only what stands is run, and
one at a time), and what stands at its end must have been given up, or dropped on request.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import StateroomError
from app.core.tasks import TaskOwner
from app.core.values import CommitResult
from app.sdk import AlarmInfo, DurableObject
from app.testing.clock import FakeClock
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryDatabase

NAMES = ("", "b", "c")
EVERY = 2
_LONGEST_SECONDS = 900

Line = tuple[Any, ...]

_tasks = TaskOwner("test")


class Diary(DurableObject):
    """Sets alarms, and does in each run what the test has put in the queue."""

    behaviours: ClassVar[deque[str]] = deque()
    dropped: ClassVar[set[int]] = set()
    running: ClassVar[int] = 0
    number: ClassVar[int] = 0

    async def set(self, name: str, in_ms: int, every: int | None) -> None:
        Diary.number += 1
        due = self.ctx.now() + in_ms
        self.ctx.storage.set_alarm(due, name=name, payload=Diary.number, every=every)
        await self.write(("set", name, Diary.number, due, every))

    async def delete(self, name: str) -> None:
        self.ctx.storage.delete_alarm(name)
        await self.write(("delete", name))

    async def retry(self, name: str) -> None:
        await self.ctx.storage.retry_dead_alarm(name)

    async def write(self, line: Line) -> None:
        self.ctx.storage.put("log", [*await self.ctx.storage.get("log", []), line])

    async def standing(self) -> list[list[Any]]:
        return [
            [entry.name for entry in await self.ctx.storage.list_alarms()],
            [letter.payload for letter in await self.ctx.storage.dead_alarms()],
        ]

    async def on_alarm(self, info: AlarmInfo) -> None:
        assert Diary.running == 0, "two at a time"
        Diary.running += 1
        try:
            behaviour = Diary.behaviours.popleft() if Diary.behaviours else "end"
            if behaviour == "commit half and raise":
                await self.write(("half", info.payload))
                await self.ctx.storage.sync()
                raise ValueError("the author's")
            await self.write(("run", info.name, info.payload, info.scheduled_for))
            await self.ctx.breathe()
            await self.behave(info, behaviour)
        finally:
            Diary.running -= 1

    async def behave(self, info: AlarmInfo, behaviour: str) -> None:
        match behaviour:
            case "raise":
                raise ValueError("the author's")
            case "abort":
                self.ctx.abort("enough")
            case "drop":
                if info.every is None:
                    Diary.dropped.add(info.payload)
                self.ctx.abort("enough", retry_alarm=False)
            case "set again":
                await self.set(info.name, 1_500, None)
            case "delete itself":
                await self.delete(info.name)
            case "set another":
                await self.set(NAMES[NAMES.index(info.name) - 1], 2_000, None)
            case "take long":
                for _ in range(20):
                    await self.ctx.breathe()


class World:
    """The object's worker, and what happens to it."""

    def __init__(self) -> None:
        Diary.behaviours = deque()
        Diary.dropped = set()
        Diary.running = Diary.number = 0
        self.clock = FakeClock()
        self.database = MemoryDatabase(self.clock)
        self.lives = 0

    async def begin(self) -> None:
        self.lives += 1
        self.harness = ObjectHarness(
            {"diary": Diary},
            database=self.database,
            clock=self.clock,
            node=f"node-{self.lives}",
        )
        await self.harness.__aenter__()

    async def end(self) -> None:
        await self.harness.__aexit__(None, None, None)

    async def ask(self, method: str, *arguments: Any) -> Any:
        """Call the object; what became of a call that fails is in its log.

        Time passes while it waits, for an object that raises often starts again after a pause.
        """
        calling = _tasks.start(
            getattr(self.harness.stub("diary", "x"), method)(*arguments), name="call"
        )
        await self.harness.settle()
        while not calling.done():
            await self.harness.advance(0.5)
        error = calling.exception()
        return None if isinstance(error, StateroomError) else calling.result()

    async def crash(self) -> None:
        """Nothing that is not committed yet ever will be."""
        self.harness.committer.fail_next(CommitResult.LOST, batches=100)
        self.database.workers[self.harness.worker_id].dead = True
        await self.end()
        await self.begin()

    async def rest(self) -> None:
        room = self.harness.live_room("diary", "x")
        if room is not None:
            await room.hibernate()

    async def fail_commit(self) -> None:
        self.harness.fail_next_commit()

    async def behave_next(self, behaviour: str) -> None:
        Diary.behaviours.append(behaviour)

    def log(self) -> list[Line]:
        return [tuple(line) for line in self.harness.contents("diary", "x").get("log", [])]

    async def outlast(self) -> list[list[Any]]:
        """Let everything come to its end; the alarms that stand, and the dead letters."""
        Diary.behaviours.clear()
        self.harness.committer._faults.clear()
        for name in NAMES:
            await self.end_series(name)
        standing: list[list[Any]] = [[], []]
        for _ in range(_LONGEST_SECONDS // 5):
            await self.harness.advance(5)
            standing = await self.ask("standing") or standing
            if standing and not standing[0]:
                return standing
        raise AssertionError(f"something never ran: {standing}")

    async def end_series(self, name: str) -> None:
        current = read(self.log()).get(name)
        if current is not None and current[-1] is not None:
            for _ in range(40):
                await self.ask("delete", name)
                if read(self.log()).get(name) is None:
                    return
                await self.harness.advance(5)
            raise AssertionError("the object answers no more")


def read(log: Sequence[Line]) -> dict[str, Line]:
    """What stands at the end of the log: name to the line that set it."""
    standing: dict[str, Line] = {}
    last_run: dict[int, int] = {}
    for line in log:
        if line[0] == "set":
            standing[line[1]] = line
        elif line[0] == "delete":
            standing.pop(line[1], None)
        elif line[0] == "run":
            _, name, number, scheduled_for = line
            assert name in standing, "ran what was deleted, or twice"
            _, _, wanted, due, every = standing[name]
            assert number == wanted, "ran what had been replaced"
            if every is None:
                assert scheduled_for == due
                del standing[name]
            else:
                assert (scheduled_for - due) % (every * 1_000) == 0, "the series has drifted"
                assert scheduled_for > last_run.get(number, 0), "one time of a series ran twice"
                last_run[number] = scheduled_for
    return standing


BEHAVIOURS = (
    "raise",
    "commit half and raise",
    "abort",
    "drop",
    "set again",
    "delete itself",
    "set another",
    "take long",
)
_NAMES = st.sampled_from(NAMES)
_SET = st.tuples(
    st.just("set"), _NAMES, st.sampled_from([-5, 0, 900, 4_000]), st.sampled_from([None, EVERY])
)
_ADVANCE = st.tuples(st.just("advance"), st.sampled_from([0.5, 3.0, 10.0]))
_BEHAVE = st.tuples(st.just("behave"), st.sampled_from(BEHAVIOURS))
_RARE = st.one_of(
    st.tuples(st.just("delete"), _NAMES),
    st.tuples(st.just("retry"), _NAMES),
    st.tuples(st.just("fail often"), st.just("raise")),
    st.tuples(st.just("fail commit")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("rest")),
)
STEPS = st.one_of(_SET, _BEHAVE, _ADVANCE, _RARE)


async def take(world: World, step: tuple[Any, ...]) -> None:
    match step:
        case ("set" | "delete" | "retry") as method, *arguments:
            await world.ask(method, *arguments)
        case "behave", behaviour:
            await world.behave_next(behaviour)
        case "fail often", behaviour:
            Diary.behaviours.extend([behaviour] * 8)
        case "advance", seconds:
            await world.harness.advance(seconds)
        case _:
            plain: dict[str, Callable[[], Awaitable[None]]] = {
                "fail commit": world.fail_commit,
                "crash": world.crash,
                "rest": world.rest,
            }
            await plain[step[0]]()


async def walk(steps: Sequence[tuple[Any, ...]]) -> None:
    world = World()
    await world.begin()
    for step in steps:
        await take(world, step)
        read(world.log())
    _, dead = await world.outlast()
    lost = {line[2] for line in read(world.log()).values()}
    assert lost == set(dead) | (lost & Diary.dropped), "neither run, nor given up, nor dropped"
    await world.end()


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(STEPS, min_size=8, max_size=30))
def test_nothing_is_lost_and_nothing_runs_that_does_not_stand(
    steps: list[tuple[Any, ...]],
) -> None:
    asyncio.run(walk(steps))


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_every_behaviour_with_a_crash_in_the_middle(behaviour: str) -> None:
    steps: list[tuple[Any, ...]] = [("set", name, 900, None) for name in NAMES]
    steps += [("behave", behaviour), ("advance", 0.5), ("advance", 0.5), ("fail commit",)]
    asyncio.run(walk([*steps, ("crash",), ("behave", behaviour), ("advance", 10.0)]))


@pytest.mark.parametrize("seed", range(3))
def test_a_long_walk_at_random(seed: int) -> None:
    """More steps than Hypothesis takes; it is there to say which few were needed."""
    chance = random.Random(seed)

    def draw() -> tuple[Any, ...]:
        name = chance.choice(NAMES)
        kinds: list[tuple[Any, ...]] = [
            ("set", name, chance.choice([-5, 0, 900, 4_000]), chance.choice([None, None, EVERY])),
            ("behave", chance.choice(BEHAVIOURS)),
            ("advance", chance.choice([0.5, 3.0, 10.0])),
            chance.choice([("delete", name), ("retry", name), ("fail often", "raise")]),
            chance.choice([("fail commit",), ("crash",), ("rest",)]),
        ]
        return chance.choices(kinds, weights=[6, 5, 6, 2, 2])[0]

    asyncio.run(walk([draw() for _ in range(80)]))
