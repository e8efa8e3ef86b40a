"""Lines that are told while a request's body is still read, for a client that reads them later.

Many clients send all of a body before they read any of the answer. Were the answer held back by
them, and the body by the answer, both would wait for ever; so lines that nobody reads yet are kept
in memory up to a bound, and in a temporary file beyond it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from ...core.codec import dump_json
from ...core.errors import StateroomError
from ...core.tasks import TaskOwner

_MEMORY_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 16

Tell = Callable[[Mapping[str, Any]], None]


async def told_lines(
    work: Callable[[Tell], Awaitable[None]], tasks: TaskOwner
) -> AsyncGenerator[bytes, None]:
    """Yield as NDJSON what `work` tells, until it ends. Closing it cancels the work.

    Raises:
        StateroomError: What `work` raised, after all that it had told.
    """
    with SpooledTemporaryFile(max_size=_MEMORY_BYTES) as file:
        spool = _Spool(file)
        task = tasks.start(_outcome(work, spool), name="told-lines")
        task.add_done_callback(lambda _task: spool.changed.set())
        try:
            while not task.done() or spool.unread:
                if spool.unread:
                    yield spool.read()
                else:
                    spool.changed.clear()
                    await spool.changed.wait()
            if (error := task.result()) is not None:
                raise error
        finally:
            task.cancel()
            await asyncio.wait([task])


async def _outcome(work: Callable[[Tell], Awaitable[None]], spool: "_Spool") -> Exception | None:
    """Do the work. An error of ours is for whoever reads the lines, and no fault of the task."""
    try:
        await work(spool.tell)
    except StateroomError as error:
        return error
    return None


class _Spool:
    """What was told and not read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._written = self._read = 0
        self.changed = asyncio.Event()

    @property
    def unread(self) -> bool:
        return self._read < self._written

    def tell(self, line: Mapping[str, Any]) -> None:
        self._file.seek(self._written)
        self._written += self._file.write(dump_json(line) + b"\n")
        self.changed.set()

    def read(self) -> bytes:
        self._file.seek(self._read)
        piece = self._file.read(_PIECE_BYTES)
        self._read += len(piece)
        if self._read == self._written:
            self._file.seek(0)
            self._file.truncate()
            self._read = self._written = 0
        return piece
