"""The async generators of a storage; apart from `storage`, which is compiled: they cannot be."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from typing import Any, TypeVar

from ..core.storage_codec import decode_value
from .reading import RowReader
from .scan import key_range
from .sections import Sections

TransactionT = TypeVar("TransactionT")


async def streamed(
    reader: RowReader, prefix: str | None, *, check: Callable[[], None]
) -> AsyncIterator[tuple[str, Any]]:
    """The rows as they come; `check` is called when the first one is asked for."""
    check()
    wanted = key_range(prefix, None, None, None, reverse=False, limit=None)
    if wanted is not None:
        async with aclosing(reader.pages(wanted, steady=False)) as pages:
            async for rows in pages:
                for key, value in rows:
                    yield key.decode(), decode_value(value)


@asynccontextmanager
async def alone(
    sections: Sections,
    begin: Callable[[], AbstractContextManager[TransactionT]],
    *,
    check: Callable[[], None],
) -> AsyncIterator[TransactionT]:
    """A transaction in a section of its own; `check` is called before anything is waited for."""
    check()
    async with sections.exclusive():
        with begin() as transaction:
            yield transaction
