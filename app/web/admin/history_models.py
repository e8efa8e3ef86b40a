"""What is asked and told of the past of an object."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from .models import Asked, Instant, Page, PageQuery, Told

Bookmark = Annotated[str, Field(max_length=100)]


class HistoryQuery(PageQuery):
    """Which bookmarks."""

    before: AwareDatetime | None = None
    """Begin with the state that the object was in at this time."""


class HistoryEntryTold(Told):
    """The state after one commit that changed rows."""

    bookmark: str
    """The state; bookmarks of one object are ordered in time when compared as texts."""
    made_at: Instant
    """When the commit was made."""
    keys: int
    """How many keys it changed."""
    size_bytes: int
    """What is kept to undo it: keys and replaced values."""


class HistoryPage(Page[HistoryEntryTold]):
    """Bookmarks, the latest first, and how far the past can be told."""

    current_bookmark: str
    """The state now."""
    oldest_bookmark: str
    """The earliest state that can be told."""
    oldest_at: Instant
    """Since when the object was in that state."""


class Difference(Told):
    """A key that is not the same in two states."""

    key: str
    change: Literal["added", "changed", "removed"]
    """What became of it from the first state to the second."""
    before: Any = None
    """Its value in the first state as tagged JSON, if it was there."""
    after: Any = None
    """Its value in the second, if it was there."""


class RestoreTo(Asked):
    """What an object is to be again: exactly one of the two."""

    bookmark: Bookmark | None = None
    """A state."""
    time: AwareDatetime | None = None
    """The state that it was in at this time."""


class RestoredTold(Told):
    """What a restoration came to, in bookmarks."""

    bookmark: str
    """The state that is the present again."""
    undo_bookmark: str
    """The state just before; restoring that undoes it."""
    current_bookmark: str
    """The state now, which is a new one however alike they are."""
