"""Workers that take rooms from one another at random, for a few seconds, and a checker.

Each room holds three keys that are always written together with the same number, one more than
what was loaded. Every acknowledgement is noted as (room, number). What must hold:

* no number of a room is acknowledged twice;
* a load shows three equal numbers, none below what was acknowledged before its claim;
* at the end every room shows the last number that was acknowledged.

The checker keys on the numbers and never on the order in which coroutines wake.
"""

import asyncio
import random
from collections import defaultdict

from app.core.clock import SystemClock
from app.core.errors import OwnershipLost
from app.core.ids import CommitSeq, Epoch, ObjectId
from app.core.values import Claim, CommitResult
from tests.doubles.batch_source import Writes, commit
from tests.integration.store.conftest import SEIZE, Site, Worker

SECONDS = 4.0
ROOMS = 10
WORKERS = 3
HANDS = 4
KEYS = (b"a", b"b", b"c")


class Checker:
    """What was acknowledged and what was seen."""

    def __init__(self) -> None:
        self.acknowledged: dict[ObjectId, list[int]] = defaultdict(lambda: [0])
        self.refused = 0
        self.takeovers = 0

    def saw(self, room: ObjectId, values: dict[bytes, bytes], *, at_least: int) -> int:
        numbers = {int(values.get(key, b"0")) for key in KEYS}
        assert len(numbers) == 1, f"a torn room: {values}"
        (number,) = numbers
        assert number >= at_least, f"loaded {number}, but {at_least} was acknowledged before"
        return number

    def acknowledge(self, room: ObjectId, number: int) -> None:
        assert number not in self.acknowledged[room], f"{number} was acknowledged twice"
        self.acknowledged[room].append(number)

    def last(self, room: ObjectId) -> int:
        return max(self.acknowledged[room])


async def take_over(worker: Worker, room: ObjectId) -> Claim:
    (row,) = await worker.database.fetch(SEIZE, room.uuid, worker.worker_id)
    return Claim(
        object_id=room,
        worker_id=worker.worker_id,
        epoch=Epoch(row["epoch"]),
        commit_seq=CommitSeq(row["commit_seq"]),
    )


async def one_ownership(worker: Worker, room: ObjectId, checker: Checker) -> None:
    at_least = checker.last(room)
    claim = await take_over(worker, room)
    checker.takeovers += 1
    try:
        page = await worker.store.load(claim, rows=10, size_bytes=1000)
    except OwnershipLost:
        return
    number = checker.saw(room, dict(page.rows), at_least=at_least)
    writes = Writes(claim)
    for _ in range(random.randint(1, 6)):
        number += 1
        outcome = await commit(
            worker.committer, writes, dict.fromkeys(random.sample(KEYS, 3), b"%d" % number)
        )
        if outcome.result is not CommitResult.COMMITTED:
            assert outcome.result is CommitResult.LOST
            checker.refused += 1
            return
        checker.acknowledge(room, number)


async def test_no_acknowledged_write_is_lost_and_none_counts_twice(site: Site) -> None:
    workers = [await site.worker() for _ in range(WORKERS)]
    rooms = [(await workers[0].room(f"room-{number}")).claim.object_id for number in range(ROOMS)]
    checker = Checker()
    clock = SystemClock()
    end = clock.monotonic() + SECONDS

    async def hand(worker: Worker) -> None:
        while clock.monotonic() < end:
            await one_ownership(worker, random.choice(rooms), checker)

    await asyncio.gather(*(hand(worker) for worker in workers for _ in range(HANDS)))
    for room in rooms:
        found = await workers[0].store.read(room, list(KEYS))
        assert checker.saw(room, found, at_least=0) == checker.last(room)
    acknowledged = sum(len(numbers) - 1 for numbers in checker.acknowledged.values())
    assert acknowledged > 100
    assert checker.refused > 10
    assert checker.takeovers > 50
