"""Work of an instance beside its events: `wait_until`.

It delays no answer, keeps the object in memory, and ends with the instance. Nothing of it is
undone with an event that raises, and an exception of its own harms nothing (`beside`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from ..core.clock import Clock
from ..core.errors import Overloaded
from ..core.limits import BACKGROUND_TASKS
from ..core.tasks import TaskOwner
from ..core.values import Claim
from .beside import Beside
from .faults import InstanceAborted
from .hooks import finish
from .log_names import log_fault, names_of
from .meter import Meter
from .metered import Metered

_log = structlog.get_logger("stateroom.room")


class Background:
    """See the module.

    Args:
        beside: Runs it.
        tasks: Owner of the tasks.
        clock: For the limit.
        seconds: How long each work may take.
        claim: Whose they are, for log lines.
        counters: Called with the name of what is counted.
        meter: Counts what it costs.
    """

    __slots__ = (
        "_beside",
        "_claim",
        "_clock",
        "_counters",
        "_meter",
        "_seconds",
        "_tasks",
        "_works",
    )

    def __init__(
        self,
        beside: Beside,
        *,
        tasks: TaskOwner,
        clock: Clock,
        seconds: float,
        claim: Claim,
        counters: Callable[[str], None],
        meter: Meter,
    ) -> None:
        self._meter = meter
        self._beside = beside
        self._tasks = tasks
        self._clock = clock
        self._seconds = seconds
        self._claim = claim
        self._counters = counters
        self._works: dict[asyncio.Task[None], None] = {}

    def __len__(self) -> int:
        return len(self._works)

    def add(self, work: Awaitable[Any]) -> None:
        """Run something to its end.

        Raises:
            Overloaded: The instance has as much to do as it may.
        """
        if len(self._works) >= BACKGROUND_TASKS:
            discard(work)
            raise Overloaded(f"{BACKGROUND_TASKS} works wait beside the events of this object")
        task = self._tasks.start(Metered(self._run(work), self._meter), name="background")
        self._works[task] = None
        task.add_done_callback(lambda _task: discard(work))
        task.add_done_callback(lambda ended: self._works.pop(ended, None))

    def cancel_all(self) -> None:
        """The instance is over."""
        for task in list(self._works):
            task.cancel()

    async def _run(self, work: Awaitable[Any]) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - says so to mypy
        limit = self._clock.call_later(self._seconds, lambda: _end(task))
        try:
            await self._beside.run(finish(work))
        except InstanceAborted:
            return  # the room is over, and has said so
        except asyncio.CancelledError:
            _log.info("background_cancelled", **names_of(self._claim))
            raise
        except Exception as error:  # noqa: BLE001 - the author's code may raise anything
            self._counters("object_faults")
            log_fault(_log, "background_failed", names_of(self._claim), error)
        finally:
            limit.cancel()


def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()


def discard(work: Awaitable[Any]) -> None:
    """It will not be awaited, or not any more."""
    if asyncio.iscoroutine(work):
        work.close()
