"""An object that watches the event loop of its worker: how long it stands still.

A timer is due every millisecond; what it comes later than that is a stall. Beside the time that
passed stands the processor time that the whole process used meanwhile, in any thread: where that
is less, it was the machine that was busy with others, not the loop.
"""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

import orjson

from stateroom import DurableObject, Request, Response

BEAT_SECONDS = 0.001
WORTH_TELLING_SECONDS = 0.005


class Pulse(DurableObject):
    """Mounted by `bench.loading`: `/start` begins anew, `/stop` tells what was seen since."""

    idle_seconds: ClassVar[float | None] = 3600.0
    """What was seen is kept in the instance."""

    async def on_start(self) -> None:
        """Nothing is watched yet."""
        self._handle: asyncio.TimerHandle | None = None
        self._stalls: list[tuple[float, float]] = []

    async def on_request(self, request: Request) -> Response:
        """Begin, or tell."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if request.path == "/start":
            self._stalls = []
            self._rest()
        return Response(body=orjson.dumps(self._stalls))

    def _rest(self) -> None:
        self._last = time.perf_counter(), time.process_time()
        self._handle = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        passed = time.perf_counter() - self._last[0] - BEAT_SECONDS
        if passed > WORTH_TELLING_SECONDS:
            self._stalls.append((passed, min(passed, time.process_time() - self._last[1])))
        self._rest()
