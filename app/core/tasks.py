"""Tasks with an owner: the only home of `create_task`.

A task that nobody holds can vanish while it runs, and its exception with it. Everything that
runs in the background is started through a `TaskOwner`, which keeps the reference, logs a
failure, and is closed by whoever made it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

_log = structlog.get_logger(__name__)


class TaskOwner:
    """Holds background tasks until they end; `close` cancels and awaits the rest.

    Args:
        name: Prefix of the tasks' names, for logs and debuggers.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run `work` in the background. A failure is logged, once, with its traceback."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._name}:{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel what still runs and wait for it to end."""
        mine = {asyncio.current_task()}
        while pending := self._tasks - mine:  # cleaning up may start further ones
            for task in pending:
                task.cancel()
            await asyncio.wait(pending)

    async def join(self) -> None:
        """Wait until every task has ended by itself."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task_failed", task=task.get_name(), exc_info=error)
