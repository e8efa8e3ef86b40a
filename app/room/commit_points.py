"""Those who wait until a batch of the room is confirmed, or fails for good."""

import asyncio

from ..core.values import Receipt


class CommitPoints:
    """See the module. Whoever does not wait any more is passed over."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: list[tuple[int, asyncio.Future[Receipt]]] = []
        """Batches and who waits for them; for looking only."""

    def add(self, batch: int) -> asyncio.Future[Receipt]:
        """A future for the confirmation of a batch."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.waiting.append((batch, future))
        return future

    def reached(self, batch: int, receipt: Receipt) -> None:
        """Batches up to this one are confirmed."""
        waiting, self.waiting = self.waiting, []
        for awaited, future in waiting:
            if awaited > batch:
                self.waiting.append((awaited, future))
            elif not future.done():
                future.set_result(receipt)

    def fail(self, error: Exception) -> None:
        """Nothing will be confirmed any more."""
        waiting, self.waiting = self.waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # a waiter that is gone must not be reported as unread
