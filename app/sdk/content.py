"""Content that people and programs outside may read and change as JSON.

A class that has the methods of `JsonContent` has its content under `/admin/v1/.../content`, and
in the console. They are ordinary methods that others call: each call is an event, so a change is
told to connected clients and committed like any other. `TinyBaseRoom` has them; a class of yours
may have them too.

The content is one JSON object `{"tables": {...}, "values": {...}}`: tables of rows of cells, and
values, each by its id. A path leads to a part of it: `["tables", "pets", "fido"]` to a row,
`["values"]` to all values, `[]` to everything. JSON travels as text, so that much of it can be
made and read beside the event loop.
"""

from typing import Final, Protocol

CONTENT_BYTES: Final = 15 << 20
"""The most that one call carries. Text may double its size as an argument or result."""

NO_CONTENT: Final = "this object has no content of its own"
"""What changes return where no content is kept, and never will be."""


class JsonContent(Protocol):
    """See the module.

    What a caller did wrong is returned and not raised, because an event that raises throws the
    instance away.
    """

    async def read_content(self, path: list[str], limit_bytes: int) -> str | None:
        """Return the JSON text of a part, or None when there is nothing.

        A text of more than `limit_bytes` is refused as too large: it ends a little behind them,
        because a much larger one does not travel. None for the empty path says that this object
        has no content, and never will.
        """
        ...

    async def patch_content(self, path: list[str], patch: str) -> str | None:
        """Merge a JSON text into a part, as RFC 7396 says: `null` deletes, what is not named stays.

        Return what is wrong with it, when nothing of it was done, or None.
        """
        ...

    async def replace_content(self, path: list[str], content: str) -> str | None:
        """Make a part exactly what a JSON text says; an empty object deletes it.

        Return what is wrong with it, when nothing of it was done, or None.
        """
        ...

    async def delete_content(self, path: list[str]) -> bool:
        """Delete a part; return whether there was one."""
        ...
