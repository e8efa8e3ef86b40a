"""The reasons that `/readyz` gives: of rooms that do not get on, and of a lease that has ended."""

import asyncio
from typing import ClassVar

from app.core.codec import parse_json
from app.room.limits import RoomLimits
from app.sdk import Connection, DurableObject
from app.testing.harness import ObjectHarness
from tests.conformance.front import front_of

EVENT_SECONDS = 5.0


class Holding(DurableObject):
    """Writes what it hears; `wait` waits for the test, and heeds no time-out."""

    gate: ClassVar["asyncio.Event"]

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        while message == "wait" and not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                continue
        self.ctx.storage.put("key", message)


async def readiness(harness: ObjectHarness) -> tuple[int, dict[str, str]]:
    async with front_of(harness) as client:
        answer = await client.get("/readyz")
        assert answer.headers["cache-control"] == "no-store"
        return answer.status_code, parse_json(answer.content)["checks"]


async def test_rooms_whose_commits_do_not_come_make_a_worker_unready_until_they_do() -> None:
    async with ObjectHarness({"holding": Holding}) as harness:
        sockets = [await harness.connect("holding", name) for name in "ab"]
        harness.committer.hold()
        for socket in sockets:
            socket.say("x")
        await harness.advance(60.0)
        assert await readiness(harness) == (
            503,
            {"database": "ok", "lease": "ok", "worker": "ok", "rooms": "stalled: 2"},
        )
        harness.committer.release()
        await harness.advance(2.0)
        assert (await readiness(harness))[0] == 200


async def test_an_event_that_does_not_end_is_told_and_takes_nothing_from_others() -> None:
    Holding.gate = asyncio.Event()
    limits = RoomLimits(event_timeout_seconds=EVENT_SECONDS)
    async with ObjectHarness({"holding": Holding}, limits=limits) as harness:
        (await harness.connect("holding", "a")).say("wait")
        await harness.advance(4 * EVENT_SECONDS)
        status, checks = await readiness(harness)
        assert (status, checks["events"]) == (200, "stuck: 1")
        Holding.gate.set()
        await harness.advance(2.0)
        assert "events" not in (await readiness(harness))[1]
