"""What is common to the models of requests and answers."""

from datetime import datetime
from typing import Annotated, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from ...core.instants import instant_of_ms, rfc3339

__all__ = [
    "Asked",
    "Instant",
    "Page",
    "PageQuery",
    "Told",
    "instant_of_ms",
    "rfc3339",
]

MOST_ITEMS: Final = 1_000
USUAL_ITEMS: Final = 100

_Item = TypeVar("_Item", bound=BaseModel)


class Asked(BaseModel):
    """A query or a body: a field that is not known is refused, lest a misspelt one be lost.

    Bodies are read strictly (`"5"` is no number); in a query everything is text and is read as
    its type.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


class Told(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


Instant = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A point in time of an answer; give it a time zone."""


class PageQuery(Asked):
    """The query of a list; derive filters from it. See `paging.Cursor`."""

    limit: Annotated[int, Field(ge=1, le=MOST_ITEMS)] = USUAL_ITEMS
    """Most items of the answer."""
    cursor: Annotated[str, Field(max_length=4_096)] | None = None
    """`next_cursor` of the page before, with the same filters."""


class Page(Told, Generic[_Item]):
    """One page of a list."""

    items: list[_Item]
    """What was found, in the order of the list."""
    next_cursor: str | None = None
    """Where the next page begins; null when this is the last one."""
