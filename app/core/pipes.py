"""Bytes on their way from one producer to one consumer, in pieces and bounded.

The producer never waits in `push`, because what passes the output gate cannot wait: it asks
before it makes the next piece (`has_room`). The consumer takes the pieces in order; behind the
last one stands how it ended, and an end that is no good end is always told as an error, so that
nobody can take half of something for the whole.
"""

import asyncio
from collections import deque
from collections.abc import Callable

PIPE_BYTES = 256 << 10
"""With so much that was not taken the producer waits."""


class BytePipe:
    """See the module. It is an asynchronous iterator for its consumer, and ends once.

    Args:
        taken: Told how many bytes the consumer took, at each piece.
        left: Told once that the consumer wants no more, if it says so before the end.

    Attributes:
        waiting_bytes: What was pushed and not taken yet.
    """

    def __init__(
        self,
        *,
        taken: Callable[[int], None] | None = None,
        left: Callable[[], None] | None = None,
    ) -> None:
        self.waiting_bytes = 0
        self._pieces: deque[bytes] = deque()
        self._taken = taken
        self._left = left
        self._end: BaseException | None = None
        self._closed = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    # -- the producer's side -------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether pieces go nowhere: the consumer wants no more, or the end was said."""
        return self._closed or self._end is not None

    def push(self, piece: bytes) -> None:
        """Append a piece; nothing after the end, or for a consumer that is gone."""
        if piece and not self.over:
            self._pieces.append(piece)
            self.waiting_bytes += len(piece)
            if self.waiting_bytes >= PIPE_BYTES:
                self._room.clear()
            self._changed.set()

    def finish(self) -> None:
        """Everything was pushed."""
        self._finish(StopAsyncIteration())

    def fail(self, error: Exception, *, at_once: bool = False) -> None:
        """It ends here, and should not: the consumer gets the error once it has taken the rest.

        `at_once` drops the rest: nothing of it may be told any more.
        """
        if at_once and not self._closed:
            self._pieces.clear()
            self.waiting_bytes = 0
            if isinstance(self._end, StopAsyncIteration):  # which nobody has seen yet
                self._end = None
        self._finish(error)

    async def has_room(self) -> None:
        """Wait until the consumer has taken so much that another piece may be made."""
        await self._room.wait()

    # -- the consumer's side -------------------------------------------------------------------

    def __aiter__(self) -> "BytePipe":
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._end is not None:
                raise self._end
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        piece = self._pieces.popleft()
        self.waiting_bytes -= len(piece)
        if self.waiting_bytes < PIPE_BYTES:
            self._room.set()
        if self._taken is not None:
            self._taken(len(piece))
        return piece

    async def aclose(self) -> None:
        """Want no more; see `close`."""
        self.close()

    def close(self) -> None:
        """Want no more: what was not taken is dropped, and the producer is told."""
        if self._closed:
            return
        self._closed = True
        self._pieces.clear()
        self.waiting_bytes = 0
        self._room.set()
        self._changed.set()
        if self._end is None and self._left is not None:
            self._left()

    def _finish(self, end: BaseException) -> None:
        if self._end is None:
            self._end = end
            self._room.set()
            self._changed.set()
