"""What the process takes of the machine, and whether its event loop comes round in time."""

import asyncio
import os
import resource
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ..core.clock import Clock, wall_seconds
from ..core.metric_catalogue import METRICS
from ..core.metrics import Histogram, Reading

_TICK_SECONDS: Final = 0.25
_FDS: Final = Path("/proc/self/fd")
_MEMORY: Final = Path("/proc/self/statm")


class ProcessReadings:
    """See the module; it is `core.metrics.Readable`. What the system does not tell is left out.

    Args:
        clock: Measures the lag of the loop.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = wall_seconds()
        self._lag = Histogram(METRICS["event_loop_lag_seconds"])

    async def watch(self) -> None:
        """Measure the lag of the event loop, for ever."""
        while True:
            due = self._clock.monotonic() + _TICK_SECONDS
            await self._clock.sleep(_TICK_SECONDS)
            self._lag.observe(max(self._clock.monotonic() - due, 0.0))

    def read(self) -> Iterable[Reading]:
        """See `Readable`."""
        yield Reading("worker_start_time_seconds", (), self._began)
        yield Reading("process_cpu_seconds", (), time.process_time())
        yield Reading("process_tasks", (), len(asyncio.all_tasks()))
        yield Reading("process_max_fds", (), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        if _FDS.is_dir():
            yield Reading("process_open_fds", (), len(os.listdir(_FDS)))  # noqa: PTH208 - counted only
        if _MEMORY.is_file():
            pages = int(_MEMORY.read_text("ascii").split()[1])
            yield Reading("process_resident_bytes", (), pages * os.sysconf("SC_PAGE_SIZE"))
        yield from self._lag.read()
