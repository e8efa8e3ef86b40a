"""Rows that expire are removed also where other events write and commit all the time."""

from typing import Any

import pytest

from app.core.ids import ObjectId
from app.core.workshop import breathe
from app.room.expiry import GRID_MS
from tests.conformance.gate_stage import Stage, StageHarness, begin

_ENOUGH = 20


async def test_other_events_wait_while_it_is_asked_which_rows_are_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def write(self: Stage) -> None:
        self.storage.put("written", Stage.starts)

    async def put(self: Stage) -> None:
        self.storage.put("expiring", 1, expires_at=self.ctx.now() + 1_000)

    async with StageHarness() as harness:
        asked, expiring = [0], harness.slow.expiring

        async def busy(object_id: ObjectId, *, limit: int) -> Any:
            asked[0] += 1
            found = await expiring(object_id, limit=limit)
            if asked[0] <= _ENOUGH:
                begin(harness.stub("free", "a").run("write"))
                for _ in range(_ENOUGH):
                    await breathe()
            return found

        Stage.steps = {"write": write, "put": put}
        await harness.run("free", "put")
        monkeypatch.setattr(harness.slow, "expiring", busy)
        await harness.advance(2 + GRID_MS / 1000)
        await harness.settle()
        assert 0 < asked[0] < _ENOUGH
        assert list(harness.contents("free", "a")) == ["written"]
