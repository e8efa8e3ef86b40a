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
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import datetime
from enum import Enum, auto
from typing import Any, Protocol

from ..core.errors import Overloaded, RoomAborted, StorageRefused, Unsupported
from ..core.limits import KEY_BYTES, KEYS_PER_CALL, VALUE_BYTES
from ..core.ports import ObjectStore
from ..core.storage_codec import decode_value, encode_value
from ..core.values import KeyRange, Receipt
from .alarms import RoomAlarms
from .buffer import UNKNOWN, Absence
from .commits import CommitLane
from .scan import Rows, committed_pages, key_range, merge_page


class StorageHost(Protocol):
    """What the storage asks of its room."""

    async def commit_point(self) -> Receipt:
        """End the running unit here and wait until it is confirmed."""
        ...

    def wrote(self) -> None:
        """Note that the running unit has writes."""
        ...

    async def wait_for_room(self) -> None:
        """Wait until the buffer of finished units is below its bound."""
        ...


class _Use(Enum):
    """What an instance may do with its storage."""

    ALL = auto()
    READING = auto()  # durability none: there is never anything to find
    NOTHING = auto()  # the instance is over; another one may have taken its place


class _Done:
    """An awaitable that costs nothing when it is not awaited."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[], Coroutine[Any, Any, Any]] | None = None) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, None, Any]:
        if self._work is not None:
            return (yield from self._work().__await__())
        return None


_DONE = _Done()


class RoomStorage:
    """See the module and `sdk.Storage` for the contract of each call."""

    def __init__(
        self,
        host: StorageHost,
        lane: CommitLane,
        store: ObjectStore,
        alarms: RoomAlarms,
        *,
        unit_bytes: int,
        stores: bool,
    ) -> None:
        self._host = host
        self._lane = lane
        self._store = store
        self._alarms = alarms
        self._object_id = lane.claim.object_id
        self._unit_bytes = unit_bytes
        self._use = _Use.ALL if stores else _Use.READING

    def end(self) -> None:
        """The instance is over: whoever still holds its storage gets RoomAborted from it."""
        self._use = _Use.NOTHING

    async def get(self, key: str, default: Any = None, *, no_cache: bool = False) -> Any:
        """See `sdk.Storage.get`."""
        self._check_alive()
        raw = _key(key)
        found = self._known(raw)
        if isinstance(found, Absence):
            found = (await self._read([raw], keep=not no_cache)).get(raw)
        return default if found is None else decode_value(found)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """See `sdk.Storage.get_many`."""
        self._check_alive()
        raws = sorted({_key(key) for key in _bounded(keys)})
        known = {raw: self._known(raw) for raw in raws}
        missing = [raw for raw, value in known.items() if isinstance(value, Absence)]
        read = await self._read(missing, keep=True) if missing else {}
        found: dict[str, Any] = {}
        for raw in raws:
            value = known[raw]
            stored = read.get(raw) if isinstance(value, Absence) else value
            if stored is not None:
                found[raw.decode()] = decode_value(stored)
        return found

    async def list(
        self,
        *,
        prefix: str | None = None,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
        no_cache: bool = False,
    ) -> dict[str, Any]:
        """See `sdk.Storage.list`."""
        wanted = key_range(prefix, start, start_after, end, reverse=reverse, limit=limit)
        del no_cache  # lists are not kept in the cache
        found: dict[str, Any] = {}
        if wanted is None:
            return found
        async with aclosing(self._merged(wanted)) as pages:
            async for rows in pages:
                for key, value in rows:
                    found[key.decode()] = decode_value(value)
                    if len(found) == limit:
                        return found
        return found

    async def stream(self, *, prefix: str | None = None) -> AsyncIterator[tuple[str, Any]]:
        """See `sdk.Storage.stream`."""
        wanted = key_range(prefix, None, None, None, reverse=False, limit=None)
        if wanted is not None:
            async with aclosing(self._merged(wanted)) as pages:
                async for rows in pages:
                    for key, value in rows:
                        yield key.decode(), decode_value(value)

    def put(
        self, key: str, value: Any, *, allow_unconfirmed: bool = False, no_cache: bool = False
    ) -> Awaitable[None]:
        """See `sdk.Storage.put`."""
        raw = _key(key)
        stored = _stored(value)
        return self._write({raw: stored}, confirmed=not allow_unconfirmed, no_cache=no_cache)

    def put_many(
        self, entries: Mapping[str, Any], *, allow_unconfirmed: bool = False, no_cache: bool = False
    ) -> Awaitable[None]:
        """See `sdk.Storage.put_many`."""
        writes: dict[bytes, bytes | None] = {
            _key(key): _stored(entries[key]) for key in _bounded(entries)
        }
        return self._write(writes, confirmed=not allow_unconfirmed, no_cache=no_cache)

    def delete(self, key: str, *, allow_unconfirmed: bool = False) -> Awaitable[bool]:
        """See `sdk.Storage.delete`."""
        count = self.delete_many((key,), allow_unconfirmed=allow_unconfirmed)

        async def existed() -> bool:
            return await count > 0

        return _Done(existed)

    def delete_many(
        self, keys: Iterable[str], *, allow_unconfirmed: bool = False
    ) -> Awaitable[int]:
        """See `sdk.Storage.delete_many`."""
        raws = sorted({_key(key) for key in _bounded(keys)})
        before = {raw: self._known(raw) for raw in raws}
        self._write(dict.fromkeys(raws), confirmed=not allow_unconfirmed, no_cache=False)

        async def existed() -> int:
            unknown = [raw for raw, value in before.items() if isinstance(value, Absence)]
            known = sum(isinstance(value, bytes) for value in before.values())
            return known + (len(await self._read(unknown, keep=False)) if unknown else 0)

        return _Done(existed)

    def delete_all(self) -> Awaitable[None]:
        """See `sdk.Storage.delete_all`."""
        self._check_storing()
        if self._lane.buffer.in_transaction:
            raise RuntimeError("delete_all cannot be part of a transaction")
        top = self._lane.buffer.top
        top.wipe()
        top.confirmed = True
        self._host.wrote()
        return _DONE

    def set_alarm(self, when: datetime | int, *, name: str = "") -> Awaitable[None]:
        """See `sdk.Storage.set_alarm`."""
        self._check_storing()
        self._alarms.set(name, when)
        self._host.wrote()
        return _DONE

    async def get_alarm(self, *, name: str = "") -> int | None:
        """See `sdk.Storage.get_alarm`."""
        self._check_alive()
        return await self._alarms.due_ms(name) if self._use is _Use.ALL else None

    def delete_alarm(self, *, name: str = "") -> Awaitable[None]:
        """See `sdk.Storage.delete_alarm`."""
        self._check_storing()
        self._alarms.write(name, None)
        self._host.wrote()
        return _DONE

    def transaction(self) -> AbstractAsyncContextManager["RoomTransaction"]:
        """See `sdk.Storage.transaction`."""
        return self._transaction()

    async def sync(self) -> Receipt:
        """See `sdk.Storage.sync`."""
        self._check_alive()
        return await self._host.commit_point()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator["RoomTransaction"]:
        self._check_alive()
        buffer = self._lane.buffer
        open_one = RoomTransaction(self._lane, buffer.savepoint())
        try:
            yield open_one
        except BaseException:
            open_one.rollback()
            raise
        finally:
            open_one.end()
            self._host.wrote()

    def _write(
        self, writes: dict[bytes, bytes | None], *, confirmed: bool, no_cache: bool
    ) -> Awaitable[None]:
        self._check_storing()
        lane = self._lane
        size = lane.buffer.unit_bytes
        for raw, stored in writes.items():
            size += len(raw) + (0 if stored is None else len(stored))
        if size > self._unit_bytes:
            raise Overloaded(f"one event wrote {size} bytes, the limit is {self._unit_bytes}")
        top = lane.buffer.top
        for raw, stored in writes.items():
            top.set(raw, stored)
        if no_cache:
            top.uncached.update(writes)
        top.confirmed = top.confirmed or confirmed
        self._host.wrote()
        return _Done(self._host.wait_for_room) if lane.congested else _DONE

    def _check_storing(self) -> None:
        if self._use is not _Use.ALL:
            self._check_alive()
            raise Unsupported(
                "this namespace has durability=none and stores nothing",
                remedy="Mount the class with durability=commit or relaxed.",
            )

    def _check_alive(self) -> None:
        if self._use is _Use.NOTHING:
            raise RoomAborted("this instance of the object is over")

    def _known(self, raw: bytes) -> bytes | Absence | None:
        """What buffer and cache say: a value, None when there is none, or UNKNOWN."""
        found = self._lane.buffer.lookup(raw)
        if isinstance(found, bytes):
            return found
        return self._lane.cache.lookup(raw) if found is UNKNOWN else None

    async def _read(self, raws: Sequence[bytes], *, keep: bool) -> dict[bytes, bytes]:
        cache = self._lane.cache
        generation = cache.generation
        found = await self._store.read(self._object_id, raws)
        if keep:
            for raw in raws:
                cache.remember(raw, found.get(raw), generation=generation)
        return found

    async def _merged(self, wanted: KeyRange) -> AsyncGenerator[Rows, None]:
        """Pages of rows, the buffer as of now laid over the committed ones."""
        self._check_alive()
        wiped, overlay = self._lane.buffer.overlay()
        cache = self._lane.cache
        if wiped or cache.complete:
            rows = {} if wiped else cache.rows()
            yield merge_page(list(rows.items()), overlay, wanted)
            return
        pages = committed_pages(self._store, self._object_id, wanted, overlay)
        async with aclosing(pages):
            async for page, overlaid in pages:
                yield merge_page(page, overlaid, wanted)


class RoomTransaction:
    """See `sdk.Transaction`."""

    def __init__(self, lane: CommitLane, depth: int) -> None:
        self._buffer = lane.buffer
        self._depth = depth
        self._ended = False

    def rollback(self) -> None:
        """See `sdk.Transaction.rollback`."""
        if self._ended:
            raise RuntimeError("the transaction has ended")
        self._buffer.rollback(self._depth)

    def end(self) -> None:
        """Lay what was written on the layer below."""
        self._ended = True
        self._buffer.keep(self._depth)


def _key(key: str) -> bytes:
    try:
        raw = key.encode()
    except UnicodeEncodeError:
        raise StorageRefused("a key holds a lone surrogate") from None
    except AttributeError:
        raise TypeError(f"a key is text, not {type(key).__name__}") from None
    if len(raw) > KEY_BYTES:
        raise StorageRefused(f"a key has {len(raw)} bytes, the limit is {KEY_BYTES}")
    return raw


def _stored(value: Any) -> bytes:
    stored = encode_value(value)
    if len(stored) > VALUE_BYTES:
        raise StorageRefused(f"a value has {len(stored)} bytes, the limit is {VALUE_BYTES}")
    return stored


def _bounded(keys: Iterable[str]) -> list[str]:
    listed = list(keys)
    if len(listed) > KEYS_PER_CALL:
        raise StorageRefused(f"{len(listed)} keys in one call, the limit is {KEYS_PER_CALL}")
    return listed
