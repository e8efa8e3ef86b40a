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

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Protocol

CONTENT_BYTES: Final = 15 << 20
"""The most that one call carries. Text may double its size as an argument or result."""

NO_CONTENT: Final = "this object has no content of its own"
"""What changes return where no content is kept, and never will be."""

NOT_EMPTY: Final = "the object has content already"
"""What an import in the mode `if-empty` returns when it does nothing."""

IMPORT_MODES: Final = ("if-empty", "replace", "merge")
"""Whether there must be no content yet, what is imported takes its place, or is added to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is said of an uploaded file.

    Attributes:
        format: One of the class's `import_formats`.
        source: Which of several contents in the file, in words of the format; empty for the one.
        restamp: Whether the content is to be taken as new, without its history of changes.
    """

    format: str
    source: str = ""
    restamp: bool = False


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


class MovableContent(Protocol):
    """Content that moves in from other software and out to it.

    What is uploaded becomes pieces of JSON text, in a form that only the class knows, on whatever
    worker the upload reaches; the pieces go to the object. One piece of at most `CONTENT_BYTES`
    is one event, and so all or nothing.

    Attributes:
        import_formats: What `read_upload` reads.
        export_formats: What `export_content` writes.
    """

    import_formats: ClassVar[Collection[str]]
    export_formats: ClassVar[Collection[str]]

    @classmethod
    def read_upload(cls, file: Path, upload: Upload, piece_bytes: int) -> Iterator[str]:
        """Yield what an uploaded file holds, at least one piece. Runs beside the event loop.

        Raises:
            ValueError: The file is not of that format; the text says why, for whoever sent it.
        """
        ...

    async def import_content(self, piece: str, mode: str) -> str | None:
        """Take in one piece, in one of the `IMPORT_MODES`.

        Return what is wrong with it, when nothing of it was done, or None.
        """
        ...

    async def export_content(
        self, form: str, after: str, limit_bytes: int
    ) -> tuple[str, str] | None:
        """Return a part of everything in one of the `export_formats`, and where to go on.

        The parts together are the file. `after` is empty for the first one, then what the part
        before gave; empty at the end. A part is of at most about `limit_bytes`, and in an event
        of its own. None: the object has no content, or not in that format.
        """
        ...
