"""The engine on the in-memory twins, with the objects of this folder."""

from collections.abc import AsyncIterator

import pytest

from app.testing.harness import ObjectHarness
from tests.unit.room.objects import (
    Counter,
    PlainCounter,
    Probe,
    QueuedProbe,
    Script,
    Sleeper,
)

_CLASSES = {
    "counter": Counter,
    "plain": PlainCounter,
    "script": Script,
    "sleeper": Sleeper,
    "probe": Probe,
    "queued": QueuedProbe,
}


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    Script.steps = {}
    Script.closes = []
    Probe.hooks = {}
    Probe.heard = []
    Sleeper.waits = []
    PlainCounter.starts = 0
    async with ObjectHarness(_CLASSES) as made:
        yield made


@pytest.fixture(params=["counter", "plain"])
def namespace(request: pytest.FixtureRequest) -> str:
    return str(request.param)
