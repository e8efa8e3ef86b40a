"""Those who wait until a batch of the room is confirmed, or fails for good."""

import asyncio

from ..core.values import Receipt


class CommitPoints:
    """See the module. Whoever does not wait any more is passed over."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, asyncio.Future[Receipt]]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, batch: int) -> asyncio.Future[Receipt]:
        """A future for the confirmation of a batch."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, future))
        return future

    def reached(self, batch: int, receipt: Receipt) -> None:
        """Batches up to this one are confirmed."""
        waiting, self._waiting = self._waiting, []
        for awaited, future in waiting:
            if awaited > batch:
                self._waiting.append((awaited, future))
            elif not future.done():
                future.set_result(receipt)

    def fail(self, error: Exception) -> None:
        """Nothing will be confirmed any more."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # a waiter that is gone must not be reported as unread
