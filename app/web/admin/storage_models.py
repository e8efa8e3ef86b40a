"""What is asked and told of the keys of an object."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from .models import Asked, Instant, PageQuery, Told


class KeysQuery(PageQuery):
    """Which keys."""

    prefix: str | None = None
    """Only keys that begin so."""
    start: str | None = None
    """Only keys that are not before this one, in the order of their bytes."""
    end: str | None = None
    """Only keys before this one."""
    reverse: bool = False
    """The last key first."""
    values: bool = False
    """With values and versions; pages then end after some megabytes, whatever the limit."""


class StoredEntry(Told):
    """One key."""

    key: str
    kind: Literal["json", "bytes"]
    """Whether the value is bytes, or any other type."""
    size_bytes: int
    """Of the value as it is stored."""
    expires_at: Instant | None
    """When it expires, if it does."""
    guarded: bool
    """Whether the class keeps its storage in a form of its own, so that a change needs `force`."""
    version: str | None = None
    """Another one for another value; the ETag of the key. Only where the value was read."""
    value: Any = None
    """The value as tagged JSON, where it was asked for."""


class ForceQuery(Asked):
    """How a key is changed."""

    force: bool = False
    """Change it although the class keeps its storage in a form of its own."""


class BytesQuery(ForceQuery):
    """How a key is given bytes."""

    expires_at: AwareDatetime | None = None
    """When it is to be over; without, never."""


class ClearQuery(ForceQuery):
    """Which keys are deleted."""

    prefix: str
    """Those that begin so; all of them if it is empty."""


class ValueToPut(Asked):
    """A value and for how long."""

    value: Annotated[Any, Field()]
    """As tagged JSON: plain JSON, and `{"$": [kind, ...]}` for what JSON has no word for."""
    expires_at: AwareDatetime | None = None
    """When it is to be over; without, never."""


class Written(Told):
    """What a put came to."""

    version: str
    """Of the value that stands there now."""
    created: bool
    """Whether nothing stood there before."""


class Cleared(Told):
    """What a deletion came to."""

    deleted: int
    """How many keys."""
    more: bool
    """Whether some are left, because there were very many: ask again."""
