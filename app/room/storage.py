"""The sdk's `Storage` over a room's buffer, cache and rows.

Point reads ask the buffer, then the cache, then the database. Lists merge committed pages with
the buffer as it was when the list was asked for.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
)
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
)
from datetime import datetime
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from ..core.errors import UnitTooLarge
from ..core.storage_codec import decode_value, with_expiry
from ..core.values import Receipt
from .alarm_storage import RoomAlarmStorage
from .buffer import Absence
from .effects import DONE, Done
from .entries import at_most_128, stored_key, stored_value
from .instants import milliseconds
from .reading import RowReader
from .scan import Rows, key_range
from .standing import holding
from .storage_parts import StorageParts, Use
from .storage_streams import alone, streamed

ResultT = TypeVar("ResultT")


class RoomStorage(RoomAlarmStorage):
    """See the module and `sdk.Storage` for the contract of each call."""

    def __init__(self, parts: StorageParts) -> None:
        super().__init__(parts)
        self._lane = parts.lane
        self._reader = parts.reader

    def end(self) -> None:
        """The instance is over: whoever still holds its storage gets RoomAborted from it."""
        self._parts.use = Use.NOTHING

    def get(
        self,
        key: str,
        default: Any = None,
        *,
        no_cache: bool = False,
        allow_concurrency: bool = False,
    ) -> Coroutine[Any, Any, Any]:
        """See `sdk.Storage.get`."""
        self._check_alive()
        raw = stored_key(key)
        reader = self._reader
        found = reader.look(raw)
        asked = not allow_concurrency and reader.ask()
        if isinstance(found, Absence):
            return self._fetched(raw, default, keep=not no_cache, hold=not allow_concurrency)
        return _known_and_asked(reader, found, default) if asked else _known(found, default)

    def get_many(
        self, keys: Iterable[str], *, allow_concurrency: bool = False
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """See `sdk.Storage.get_many`."""
        self._check_alive()
        raws = sorted({stored_key(key) for key in at_most_128(keys)})
        known = {raw: self._reader.look(raw) for raw in raws}
        if not allow_concurrency:
            self._reader.ask()
        return self._fetched_many(known, hold=not allow_concurrency)

    def list(
        self,
        *,
        prefix: str | None = None,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
        no_cache: bool = False,
        allow_concurrency: bool = False,
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """See `sdk.Storage.list`."""
        self._check_alive()
        wanted = key_range(prefix, start, start_after, end, reverse=reverse, limit=limit)
        del no_cache  # lists are not kept in the cache
        if not allow_concurrency:
            self._reader.ask()
        if wanted is None:
            return _collected(self._reader, None, limit)
        pages = self._reader.pages(wanted, steady=True, hold=not allow_concurrency)
        return _collected(self._reader, pages, limit)

    def stream(self, *, prefix: str | None = None) -> AsyncIterator[tuple[str, Any]]:
        """See `sdk.Storage.stream`."""
        return streamed(self._reader, prefix, check=self._check_alive)

    def put(
        self,
        key: str,
        value: Any,
        *,
        expires_at: datetime | int | None = None,
        allow_unconfirmed: bool = False,
        no_cache: bool = False,
    ) -> Awaitable[None]:
        """See `sdk.Storage.put`."""
        raw = stored_key(key)
        stored = stored_value(value)
        if expires_at is not None:
            return self._write_expiring(
                {raw: stored}, expires_at, confirmed=not allow_unconfirmed, no_cache=no_cache
            )
        return self._write({raw: stored}, confirmed=not allow_unconfirmed, no_cache=no_cache)

    def put_many(
        self,
        entries: Mapping[str, Any],
        *,
        expires_at: datetime | int | None = None,
        allow_unconfirmed: bool = False,
        no_cache: bool = False,
    ) -> Awaitable[None]:
        """See `sdk.Storage.put_many`."""
        writes = {stored_key(key): stored_value(entries[key]) for key in at_most_128(entries)}
        if expires_at is not None:
            return self._write_expiring(
                writes, expires_at, confirmed=not allow_unconfirmed, no_cache=no_cache
            )
        return self._write(writes, confirmed=not allow_unconfirmed, no_cache=no_cache)

    def put_rows(self, rows: Mapping[bytes, bytes]) -> None:
        """Write rows that are in their stored form already."""
        self._write(rows, confirmed=True, no_cache=True)

    def delete(self, key: str, *, allow_unconfirmed: bool = False) -> Awaitable[bool]:
        """See `sdk.Storage.delete`."""
        count = self.delete_many((key,), allow_unconfirmed=allow_unconfirmed)

        async def existed() -> bool:
            return await count > 0

        return Done(existed)

    def delete_many(
        self, keys: Iterable[str], *, allow_unconfirmed: bool = False
    ) -> Awaitable[int]:
        """See `sdk.Storage.delete_many`."""
        raws = sorted({stored_key(key) for key in at_most_128(keys)})
        before = {raw: self._reader.look(raw) for raw in raws}
        self._write(dict.fromkeys(raws), confirmed=not allow_unconfirmed, no_cache=False)

        async def existed() -> int:
            unknown = [raw for raw, value in before.items() if isinstance(value, Absence)]
            known = sum(isinstance(value, bytes) for value in before.values())
            return known + (len(await self._reader.read(unknown, keep=False)) if unknown else 0)

        return Done(existed)

    def delete_all(self) -> Awaitable[None]:
        """See `sdk.Storage.delete_all`."""
        self._check_storing()
        if self._lane.buffer.in_transaction:
            raise RuntimeError("delete_all cannot be part of a transaction")
        top = self._lane.buffer.top
        top.wipe()
        top.confirmed = True
        self._host.wrote()
        return DONE

    @overload
    def transaction(self) -> AbstractAsyncContextManager["RoomTransaction"]: ...
    @overload
    def transaction(
        self, closure: Callable[["RoomTransaction"], Awaitable[ResultT]]
    ) -> Awaitable[ResultT]: ...
    def transaction(
        self, closure: Callable[["RoomTransaction"], Awaitable[Any]] | None = None
    ) -> AbstractAsyncContextManager["RoomTransaction"] | Awaitable[Any]:
        """See `sdk.Storage.transaction`."""
        return self._transaction() if closure is None else self._run_transaction(closure)

    def transaction_sync(self, closure: Callable[[], ResultT]) -> ResultT:
        """See `sdk.Storage.transaction_sync`."""
        self._check_alive()
        with RoomTransaction(self._parts):
            result = closure()
            if isinstance(result, Awaitable):
                if isinstance(result, Coroutine):
                    result.close()
                raise TypeError("transaction_sync takes a plain function, which awaits nothing")
            return result

    async def sync(self) -> Receipt:
        """See `sdk.Storage.sync`."""
        self._check_alive()
        return await self._host.commit_point()

    def _transaction(self) -> AbstractAsyncContextManager["RoomTransaction"]:
        parts = self._parts
        return alone(parts.sections, lambda: RoomTransaction(parts), check=self._check_alive)

    async def _run_transaction(
        self, closure: Callable[["RoomTransaction"], Awaitable[ResultT]]
    ) -> ResultT:
        async with self._transaction() as transaction:
            return await closure(transaction)

    def _write_expiring(
        self,
        writes: Mapping[bytes, bytes],
        expires_at: datetime | int,
        *,
        confirmed: bool,
        no_cache: bool,
    ) -> Awaitable[None]:
        expires_ms = milliseconds(expires_at)
        expiring = {raw: with_expiry(stored, expires_ms) for raw, stored in writes.items()}
        written = self._write(expiring, confirmed=confirmed, no_cache=no_cache)
        self._parts.expiry.expect(expires_ms, confirmed=confirmed)
        return written

    def _write(
        self, writes: Mapping[bytes, bytes | None], *, confirmed: bool, no_cache: bool
    ) -> Awaitable[None]:
        self._check_storing()
        lane = self._lane
        buffer = lane.buffer
        added = 0
        for raw, stored in writes.items():
            added += len(raw) if stored is None else len(raw) + len(stored)
        size = buffer.unit_bytes + added
        if size > self._parts.unit_bytes:
            raise UnitTooLarge(
                f"one event wrote {size} bytes, the limit is {self._parts.unit_bytes}"
            )
        if congested := lane.congested:
            lane.check_room(size)
        top = buffer.top
        top.set_all(writes, added_bytes=added)
        if no_cache:
            top.keep_out(writes)
        if confirmed:
            top.confirmed = True
        self._host.wrote()
        return Done(self._wait_for_room) if congested else DONE

    async def _wait_for_room(self) -> None:
        with holding(self._parts.sections.gate):
            await self._host.wait_for_room()

    async def _fetched(self, raw: bytes, default: Any, *, keep: bool, hold: bool) -> Any:
        self._reader.begin()
        found = (await self._reader.read([raw], keep=keep, hold=hold)).get(raw)
        return default if found is None else decode_value(found)

    async def _fetched_many(
        self, known: Mapping[bytes, bytes | Absence | None], *, hold: bool
    ) -> dict[str, Any]:
        self._reader.begin()
        missing = [raw for raw, value in known.items() if isinstance(value, Absence)]
        read = await self._reader.read(missing, keep=True, hold=hold) if missing else {}
        found: dict[str, Any] = {}
        for raw, value in known.items():
            stored = read.get(raw) if isinstance(value, Absence) else value
            if stored is not None:
                found[raw.decode()] = decode_value(stored)
        return found


class _Stand(Enum):
    """How a transaction stands."""

    OPEN = auto()
    ROLLED_BACK = auto()
    ENDED = auto()


class RoomTransaction(RoomStorage):
    """See `sdk.Transaction`: the storage itself, for as long as this transaction is open."""

    def __init__(self, parts: StorageParts) -> None:
        super().__init__(parts)
        self._buffer = parts.lane.buffer
        self._depth = 0
        self._undone = 0
        self._stand = _Stand.ENDED

    def __enter__(self) -> Self:
        self._depth = self._buffer.savepoint()
        self._undone = self._buffer.undone
        self._stand = _Stand.OPEN
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._undone != self._buffer.undone:
                if error is None:
                    raise RuntimeError("the transaction was undone")
                return
            if not self._buffer.innermost(self._depth):
                # None may stay open: no unit of the object could ever end.
                self._buffer.discard_transactions()
                raise RuntimeError("a transaction inside this one was left open")
            if error is not None:
                self._buffer.rollback(self._depth)
            self._buffer.keep(self._depth)
        finally:
            self._stand = _Stand.ENDED
            self._host.wrote()

    def rollback(self) -> None:
        """See `sdk.Transaction.rollback`."""
        if self._stand is _Stand.ENDED:
            raise RuntimeError("the transaction has ended")
        self._buffer.rollback(self._depth)
        self._stand = _Stand.ROLLED_BACK

    def _check_alive(self) -> None:
        super()._check_alive()
        if self._stand is _Stand.ENDED:
            raise RuntimeError("the transaction has ended")
        if self._stand is _Stand.ROLLED_BACK:
            raise RuntimeError("the transaction was rolled back")
        if not self._buffer.innermost(self._depth):
            raise RuntimeError("a transaction inside this one is still open")

    def _check_storing(self) -> None:
        self._check_alive()
        super()._check_storing()


async def _known(stored: bytes | None, default: Any) -> Any:
    return default if stored is None else decode_value(stored)


async def _known_and_asked(reader: RowReader, stored: bytes | None, default: Any) -> Any:
    reader.begin()
    return default if stored is None else decode_value(stored)


async def _collected(
    reader: RowReader, pages: AsyncGenerator[Rows, None] | None, limit: int | None
) -> dict[str, Any]:
    reader.begin()
    found: dict[str, Any] = {}
    if pages is None:
        return found
    async with aclosing(pages):
        async for rows in pages:
            for key, value in rows:
                found[key.decode()] = decode_value(value)
                if len(found) == limit:
                    return found
    return found
