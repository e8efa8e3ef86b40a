"""A store whose reads a test answers when it likes."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from app.core.ids import ObjectId
from app.core.limits import PRELOAD_ROWS
from app.core.ports import ObjectStore
from app.core.values import KeyRange, Page
from app.testing.driving import Harness
from tests.unit.room.lab import Lab, forget, perform


class SlowStore:
    """Holds the reads of a harness's store back while it is `used`; they read when answered.

    Args:
        store: The store that the object under test reads from.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._let_go = asyncio.Event()
        self._asked = 0
        self._changed = asyncio.Event()

    async def asked(self, count: int) -> None:
        """Wait until so many reads have been asked for."""
        while self._asked < count:
            self._changed.clear()
            await self._changed.wait()

    def answer(self) -> None:
        """Let every read go, now and from now on."""
        self._let_go.set()

    async def overflow(self, harness: Harness) -> None:
        """Make the object larger than what is loaded at a start, and let it start again."""

        def step(lab: Lab) -> None:
            lab.storage.put_many({f"+{number:03}": 0 for number in range(PRELOAD_ROWS + 1)})

        await perform(harness, step)
        await forget(harness)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Stand between the objects and the store."""
        read, scan, expiring = self._store.read, self._store.scan, self._store.expiring

        async def slow_read(object_id: ObjectId, keys: Collection[bytes]) -> dict[bytes, bytes]:
            await self._wait()
            return await read(object_id, keys)

        async def slow_scan(object_id: ObjectId, wanted: KeyRange) -> Page:
            await self._wait()
            return await scan(object_id, wanted)

        async def slow_expiring(object_id: ObjectId, *, limit: int) -> list[tuple[bytes, int]]:
            found = await expiring(object_id, limit=limit)
            await self._wait()  # after it: what is put meanwhile is not in the answer
            return found

        self._put(slow_read, slow_scan, slow_expiring)
        try:
            yield
        finally:
            self._put(read, scan, expiring)

    async def _wait(self) -> None:
        self._asked += 1
        self._changed.set()
        await self._let_go.wait()

    def _put(
        self, read: Callable[..., Any], scan: Callable[..., Any], expiring: Callable[..., Any]
    ) -> None:
        self._store.read = read  # type: ignore[method-assign]  # what this double is about
        self._store.scan = scan  # type: ignore[method-assign]  # what this double is about
        self._store.expiring = expiring  # type: ignore[method-assign]  # what this double is about
