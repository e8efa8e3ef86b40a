"""A hundred callers with a thousand increments each, while the counters' workers are killed.

Each increment is a call from object to object, here or over a link, and an event of its own. What
counts as acknowledged is what has arrived at the test. Asked for again is whatever was not
answered; the counter sorts that out (`counting`), so the count is exact in the end.
"""

import asyncio
import random
from collections import Counter as Tally

import asyncpg
import httpx
import pytest

from app.core.clock import SystemClock
from app.store.embedded import EmbeddedPostgres
from tests.cluster.conftest import LONG_LEASE, Stage
from tests.cluster.counting import (
    AFTER_A_GAP,
    FORGOTTEN,
    Caller,
    Counter,
    InterleavedCounter,
    mounts,
    namespace_of,
)
from tests.cluster.crew import Crew

CALLERS = 100
INCREMENTS = 1_000
BATCH = 100
KILLS = 4
WORKERS = 2
_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 60
_OWNER = """
select w.slot from object o join worker w on w.worker_id = o.worker_id where o.namespace = $1
"""


class Counting:
    """All callers of one counter, and what they were told.

    Attributes:
        counter: Where the counter is mounted.
        counts: What was acknowledged: the count that each increment made.
        refused: How requests ended that were not answered well, and how often.
    """

    def __init__(self, url: str, counter: str) -> None:
        self.counter = counter
        self._url = url
        self._chance = random.Random(1)
        self.counts: list[int] = []
        self.refused: Tally[str] = Tally()

    @property
    def done(self) -> float:
        """Which part of the increments is acknowledged."""
        return len(self.counts) / (CALLERS * INCREMENTS)

    async def run(self) -> None:
        """Let every caller make all its increments."""
        async with self._client() as client, asyncio.TaskGroup() as tasks:
            for caller in range(CALLERS):
                tasks.create_task(self._call(client, f"caller-{self.counter}-{caller}"))

    async def state(self) -> tuple[int, list[int]]:
        """The count, and the last number of each caller, as the counter says."""
        async with self._client() as client:
            found = (await client.get(f"{self._url}/objects/{self.counter}/the%20one")).json()
        return found["count"], found["lasts"]

    async def _call(self, client: httpx.AsyncClient, caller: str) -> None:
        made = 0
        while made < INCREMENTS:
            counts = await self._ask(client, caller, made + 1, min(made + BATCH, INCREMENTS))
            self.counts += counts
            made += len(counts)

    async def _ask(
        self, client: httpx.AsyncClient, caller: str, first: int, last: int
    ) -> list[int]:
        """The counts of the first of these increments; none when nobody answered."""
        place = f"{self._url}/objects/{namespace_of(Caller)}/{caller}"
        asked: dict[str, str | int] = {"counter": self.counter, "first": first, "last": last}
        try:
            answer = await client.get(place, params=asked)
        except httpx.HTTPError as error:
            self.refused[type(error).__name__] += 1
        else:
            if answer.is_success:
                counts: list[int] = answer.json()
                return counts
            self.refused[f"{answer.status_code} {answer.json()['code']}"] += 1
        await SystemClock().sleep(self._chance.uniform(0, _PAUSE_SECONDS))
        return []

    def _client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
        return httpx.AsyncClient(trust_env=False, timeout=_ANSWER_SECONDS, limits=limits)


async def kill_owner(postgres: EmbeddedPostgres, crew: Crew, counter: str) -> bool:
    """Kill the worker that holds the counter; another one takes its place meanwhile."""
    session = await asyncpg.connect(postgres.url)
    try:
        slot = await session.fetchval(_OWNER, counter)
    finally:
        await session.close()
    if slot is None:
        return False
    owner = crew[slot]
    owner.kill()
    await crew.replaced(owner, slot)
    return True


async def kill_in_turn(postgres: EmbeddedPostgres, crew: Crew, countings: list[Counting]) -> None:
    """Kill the owners in turn, at even steps of the whole work."""
    clock = SystemClock()
    for kill in range(KILLS):
        while sum(counting.done for counting in countings) / len(countings) < kill / KILLS + 0.1:
            await clock.sleep(_LOOK_SECONDS)
        while not await kill_owner(postgres, crew, countings[kill % len(countings)].counter):
            await clock.sleep(_LOOK_SECONDS)


@pytest.mark.timeout(600)
async def test_no_increment_is_lost_or_made_twice_in_either_mode(
    stage: Stage, postgres: EmbeddedPostgres
) -> None:
    server = stage.server(
        database_url=postgres.url,
        STATEROOM_WORKERS=str(WORKERS),
        **LONG_LEASE,
        STATEROOM_NAMESPACES=mounts(Counter, InterleavedCounter, Caller),
    )
    await server.start()
    url = server.url.replace("ws", "http", 1)
    began = SystemClock().monotonic()
    countings = [Counting(url, namespace_of(cls)) for cls in (Counter, InterleavedCounter)]
    async with asyncio.TaskGroup() as tasks:
        for counting in countings:
            tasks.create_task(counting.run())
        tasks.create_task(kill_in_turn(postgres, Crew.of(server), countings))
    seconds = SystemClock().monotonic() - began
    for counting in countings:
        told = [count for count in counting.counts if count != FORGOTTEN]
        print(f"{counting.counter}: {len(told)} counts told, {seconds:.1f} s, {counting.refused}")  # noqa: T201 - for -rP
        assert AFTER_A_GAP not in told, "an increment that was acknowledged is not there"
        assert len(set(told)) == len(told), "a count was told twice: one of the two was lost"
        assert counting.refused, "no kill hit anybody"
        assert len(counting.counts) == CALLERS * INCREMENTS
        assert await counting.state() == (CALLERS * INCREMENTS, [INCREMENTS] * CALLERS)
    assert stage.faults() == []
