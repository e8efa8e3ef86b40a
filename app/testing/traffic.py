"""What is under way to a real database, so that a test can wait until nothing is.

Calls of ports and commits are counted on their way in and out. A committer that is held back has
nothing under way.
"""

import asyncio
import inspect
from collections import deque
from typing import Any

from ..core.ports import BatchSource, Committer
from ..core.values import CommitOutcome, CommitResult, WriteBatch
from .memory import reason_of


class Traffic:
    """A count of what is under way; used as a context, it counts what runs inside."""

    def __init__(self) -> None:
        self._count = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return self._count > 0

    async def quiet(self) -> None:
        """Wait until nothing is under way."""
        await self._quiet.wait()

    def __enter__(self) -> None:
        self._count += 1
        self._quiet.clear()

    def __exit__(self, *_error: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._quiet.set()


class CountedPort:
    """Stands before a port, and counts its calls.

    Args:
        port: Whose coroutine methods are counted.
        traffic: The count.
    """

    def __init__(self, port: Any, traffic: Traffic) -> None:
        self._port = port
        self._traffic = traffic

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)
        if not inspect.iscoroutinefunction(call):
            return call

        async def counted(*arguments: Any, **named: Any) -> Any:
            with self._traffic:
                return await call(*arguments, **named)

        return counted


class HeldCommitter:
    """A committer that can be held back and made to fail; see `worker.DrivenCommitter`.

    Args:
        committer: The real one.
        traffic: Counts what the real one has been told and has not settled.
    """

    def __init__(self, committer: Committer, traffic: Traffic) -> None:
        self._committer = committer
        self._traffic = traffic
        self._sources: dict[BatchSource, _CountedSource] = {}
        self._waiting: dict[BatchSource, None] = {}
        self._faults: deque[tuple[CommitResult, Exception | None]] = deque()
        self._held = False

    def enqueue(self, source: BatchSource) -> None:
        """See `Committer.enqueue`."""
        if self._held:
            self._waiting[source] = None
            return
        counted = self._sources.get(source)
        if counted is None:
            counted = self._sources[source] = _CountedSource(source, self._traffic, self._faults)
        counted.expect()
        self._committer.enqueue(counted)

    def hold(self) -> None:
        """See `DrivenCommitter.hold`."""
        self._held = True

    def release(self) -> None:
        """See `DrivenCommitter.release`."""
        self._held = False
        waiting, self._waiting = self._waiting, {}
        for source in waiting:
            self.enqueue(source)

    def fail_next(
        self, result: CommitResult, *, error: Exception | None = None, batches: int = 1
    ) -> None:
        """See `DrivenCommitter.fail_next`."""
        self._faults.extend([(result, error)] * batches)


class _CountedSource:
    """A room before the real committer; it counts as under way from `expect` to its settlement."""

    def __init__(
        self,
        source: BatchSource,
        traffic: Traffic,
        faults: deque[tuple[CommitResult, Exception | None]],
    ) -> None:
        self._source = source
        self._traffic = traffic
        self._faults = faults
        self._expected = False

    def expect(self) -> None:
        """The committer has been told, and will ask for a batch."""
        if not self._expected:
            self._expected = True
            self._traffic.__enter__()

    def take_batch(self) -> WriteBatch | None:
        """See `BatchSource.take_batch`."""
        self._expected = False
        batch = self._source.take_batch()
        if batch is not None and self._faults:
            result, error = self._faults.popleft()
            outcome = CommitOutcome(result, batch.expected, error or reason_of(result))
            asyncio.get_running_loop().call_soon(self.settle, outcome)
            return None
        if batch is None:
            self._traffic.__exit__()
        return batch

    def settle(self, outcome: CommitOutcome) -> None:
        """See `BatchSource.settle`."""
        self._traffic.__exit__()
        self._source.settle(outcome)
