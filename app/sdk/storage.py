"""An object's private storage: keys in byte order, values of plain Python types.

Writes take effect at once in the object's buffer and are committed together, as one unit, when
the event ends well; nothing the object says afterwards leaves before that commit. Reads see
everything written so far, and nothing that is written while they wait. Keys are text of at most
2,048 bytes, the empty text too; a value's stored form has at most 2,000,000 bytes. Value types:
None, bool, int, float, str, bytes, datetime, list, tuple, dict, set and frozenset, nested. A
value is copied when it is put.
(reference: durable-objects, sections 6 and 7; conformance list, E to K)
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar, overload

from ..core.values import Receipt
from .alarms import AlarmStorage

ResultT = TypeVar("ResultT")


class Storage(AlarmStorage, Protocol):
    """See the module; the alarms are in `sdk.alarms`."""

    def get(
        self,
        key: str,
        default: Any = None,
        *,
        no_cache: bool = False,
        allow_concurrency: bool = False,
    ) -> Coroutine[Any, Any, Any]:
        """Return the value of `key`, or `default` when there is none.

        `no_cache` never changes the result; it keeps the value out of the object's cache. While
        a read waits for the database nothing else of the object runs; `allow_concurrency` lets
        other events run meanwhile, where the class lets any (`interleave`).

        Raises:
            StorageRefused: The key is too long.
            StoreUnavailable: The database is away.
        """
        ...

    def get_many(
        self, keys: Iterable[str], *, allow_concurrency: bool = False
    ) -> Coroutine[Any, Any, dict[str, Any]]:
        """Return those of at most 128 `keys` that exist, in byte order of the keys."""
        ...

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
        """Return keys and values in byte order (last first with `reverse`).

        `start` is inclusive, `start_after` and `end` exclusive; `reverse` changes the order only;
        `limit` counts after unfinished writes are merged in.

        Raises:
            TypeError: `start` together with `start_after`, or a limit below 1.
        """
        ...

    def stream(self, *, prefix: str | None = None) -> AsyncIterator[tuple[str, Any]]:
        """Iterate over keys and values in byte order, page by page, without holding them all.

        What the loop writes or deletes itself may show further on or not.
        """
        ...

    def put(
        self,
        key: str,
        value: Any,
        *,
        expires_at: datetime | int | None = None,
        allow_unconfirmed: bool = False,
        no_cache: bool = False,
    ) -> Awaitable[None]:
        """Store a copy of `value`. It is done when the call returns; awaiting is optional.

        Awaiting applies back-pressure while the object's buffer is full. With
        `allow_unconfirmed`, sends do not wait for this write.

        Args:
            key: Under which it stands, in place of what stood there.
            value: What is stored.
            expires_at: From this time on, by `ctx.now()`, there is no such key: an aware
                datetime, or milliseconds since 1970. The row is removed within some minutes
                after. A later put without it does away with the expiry. A time in the past is
                allowed.
            allow_unconfirmed: See above.
            no_cache: Keeps the value out of the object's cache.

        Raises:
            StorageRefused: Key or value is too large, or of a type that cannot be stored.
            Overloaded: The event has written more than it may.
            Unsupported: The namespace has durability `none`.
        """
        ...

    def put_many(
        self,
        entries: Mapping[str, Any],
        *,
        expires_at: datetime | int | None = None,
        allow_unconfirmed: bool = False,
        no_cache: bool = False,
    ) -> Awaitable[None]:
        """Store at most 128 entries, all or (if one is refused) none."""
        ...

    def delete(self, key: str, *, allow_unconfirmed: bool = False) -> Awaitable[bool]:
        """Delete `key` at once; awaiting tells whether it existed."""
        ...

    def delete_many(
        self, keys: Iterable[str], *, allow_unconfirmed: bool = False
    ) -> Awaitable[int]:
        """Delete at most 128 keys at once; awaiting tells how many existed."""
        ...

    def delete_all(self) -> Awaitable[None]:
        """Delete every key and every alarm; what is put or set afterwards stays.

        Raises:
            RuntimeError: Inside a transaction.
        """
        ...

    @overload
    def transaction(self) -> AbstractAsyncContextManager["Transaction"]: ...
    @overload
    def transaction(
        self, closure: Callable[["Transaction"], Awaitable[ResultT]]
    ) -> Awaitable[ResultT]: ...
    def transaction(
        self, closure: Callable[["Transaction"], Awaitable[Any]] | None = None
    ) -> AbstractAsyncContextManager["Transaction"] | Awaitable[Any]:
        """Open a transaction: `async with storage.transaction() as transaction`.

        What is written in the block, through the transaction or the storage itself, is undone
        when the block raises. Other writes of the event are not touched. Transactions nest. The
        exception goes on to the caller; the object is not reset. No commit point can be inside.

        With a coroutine function the block is a call of it, and awaiting returns what it returns.
        """
        ...

    def transaction_sync(self, closure: Callable[[], ResultT]) -> ResultT:
        """Run a plain function as a transaction, and return what it returns.

        For hooks that are plain functions; otherwise like `transaction`.

        Raises:
            TypeError: The function returned something to be awaited; it was undone.
        """
        ...

    async def sync(self) -> Receipt:
        """Commit what the event wrote so far (a commit point) and wait until it is durable.

        Raises:
            RoomAborted: The commit failed; the object is being thrown away.
        """
        ...


class Transaction(Storage, Protocol):
    """An open `Storage.transaction`; its storage while it is open.

    Every call but `rollback` raises RuntimeError once the transaction has been rolled back, has
    ended, or while one inside it is open. `delete_all` and `sync` always do.
    """

    def rollback(self) -> None:
        """Undo every write made in the transaction so far; the block may go on and end well.

        It may be repeated. What is written afterwards, through the storage, stays.

        Raises:
            RuntimeError: The transaction has ended, or one inside it is open.
        """
        ...
