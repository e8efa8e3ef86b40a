"""A few connections, shared by the statements that are not commits.

Ours in place of the driver's pool, because that one asks the server to reset a connection at
every return, which costs a round trip and means nothing behind a pooler. The last one returned
is the first one used. Every statement that goes through here may be repeated: one that meets a
connection which died while it lay idle is sent once more on a new one, so a restart of the
database is not noticed by readers.
"""

import asyncio
from typing import Any, Final

import asyncpg

from ..core.errors import StoreUnavailable
from .driver import ConnectTarget, DriverConnection
from .failures import DRIVER_ERRORS, NEW_CONNECTION, Fault, classify, translated

_ONCE_MORE: Final = (Fault.LINK, Fault.STALE, Fault.DEMOTED)


class ConnectionPool:
    """At most `size` connections, opened when first needed.

    Args:
        target: Where to connect.
        size: The most connections at once.
    """

    def __init__(self, target: ConnectTarget, *, size: int) -> None:
        self._target = target
        self._free = asyncio.Semaphore(size)
        self._idle: list[DriverConnection] = []
        self._closed = False

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run one statement that may be repeated, and return its rows.

        Cancelling is safe; whether the statement was applied is then not known.

        Raises:
            StoreUnavailable: The database is away, or no connection became free in time.
            StorageRefused: The database refuses the statement's values.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            async with asyncio.timeout(self._target.statement_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("no database connection became free in time") from error
        try:
            return await self._fetch_once_more(sql, arguments)
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close what is idle, and what is in use when it comes back."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    async def _fetch_once_more(self, sql: str, arguments: tuple[Any, ...]) -> list[asyncpg.Record]:
        while self._idle:
            connection = self._idle.pop()
            if connection.closed:
                connection.terminate()
                continue
            try:
                return await self._run(connection, sql, arguments)
            except TimeoutError:
                raise
            except DRIVER_ERRORS as error:
                if classify(error) not in _ONCE_MORE:
                    raise
                self._drop_idle()
        connection = await DriverConnection.open(self._target)
        return await self._run(connection, sql, arguments)

    async def _run(
        self, connection: DriverConnection, sql: str, arguments: tuple[Any, ...]
    ) -> list[asyncpg.Record]:
        try:
            return await connection.fetch(sql, *arguments)
        except DRIVER_ERRORS as error:
            if classify(error) in NEW_CONNECTION:
                connection.terminate()
            raise
        finally:
            if self._closed or connection.closed:
                connection.terminate()
            else:
                self._idle.append(connection)

    def _drop_idle(self) -> None:
        """What lay idle together died together."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.terminate()
