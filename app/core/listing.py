"""What there is, for people: lists of objects, counts, tags. Reads of committed rows wake nothing.

A list has an order (`SortBy`), may be narrowed by any mix of conditions, and is read page by page
with a keyset position. **Every page is a bounded amount of work**, whatever is asked and however
many objects there are. The price: when several conditions each fit many objects, a page may hold
fewer objects than asked for, even none, and still say where the next one begins.

Sizes, times of commits and owners are noted in the background, so a list may be some seconds
old: an object appears in it shortly after its first commit. What is *told* of an object on a
page (owner, epoch, commits) is of now; how old its size is stands beside it (`sized_ms`).
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from .ids import CommitSeq, Epoch, ObjectId, WorkerId

TAGS_OF_OBJECT: Final = 32
"""Most tags of one object."""
OBJECT_TAG_CHARACTERS: Final = 128
"""Longest tag of an object."""


class SortBy(StrEnum):
    """What a list is ordered by; objects that are equal in it stand in the order of their ids.

    NAME is the order of the bytes of names; objects without a name come first. An object that has
    not been measured yet counts as empty, one that never committed as committed in 1970.
    """

    NAME = "name"
    SIZE = "size"
    LAST_COMMIT = "last_commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingFilter:
    """Which objects; all conditions that are given must hold.

    Attributes:
        namespaces: Only of these; None for all.
        prefix: How the name begins, letter for letter; no character is a wildcard.
        owner: Only what this worker holds.
        live: Only what a live worker holds, or (False) only what none holds.
        min_bytes: Only of at least this size.
        max_bytes: Only of at most this size.
        committed_after_ms: Only if the last commit was at this time or later, ms since 1970.
        committed_before_ms: Only if the last commit was before this time.
        tag: Only what carries this tag.
    """

    namespaces: Collection[str] | None = None
    prefix: str = ""
    owner: WorkerId | None = None
    live: bool | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None
    committed_after_ms: int | None = None
    committed_before_ms: int | None = None
    tag: str | None = None


class ListingPosition(NamedTuple):
    """After which object a page begins: what the list is ordered by, and the id's first half."""

    value: str | int
    uuid: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingRequest:
    """One page of a list.

    Attributes:
        limit: The most objects on the page.
        after: Where the page before ended; of the same order.
    """

    where: ListingFilter = field(default_factory=ListingFilter)
    sort: SortBy = SortBy.NAME
    descending: bool = False
    limit: int = 100
    after: ListingPosition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedObject:
    """One object, as the database knows it.

    Attributes:
        object_id: Which; with its name, if it has one.
        worker_id: Who holds it, or held it last and died; None when it was given up.
        live: Whether that worker's lease holds.
        epoch: The last epoch it was held under.
        commit_seq: How many commits it has had.
        created_ms: When it was first claimed, milliseconds since 1970.
        committed_ms: When it last committed; None: never.
        frozen_ms: Since when it takes no changes; None: it does.
        size_bytes: Keys and values added up, when it was last measured; None: not yet.
        rows: How many it had then.
        sized_ms: When that was.
        size_current: Whether nothing was committed since.
        tags: In the order of their bytes.
    """

    object_id: ObjectId
    worker_id: WorkerId | None
    live: bool
    epoch: Epoch
    commit_seq: CommitSeq
    created_ms: int
    committed_ms: int | None
    frozen_ms: int | None
    size_bytes: int | None
    rows: int | None
    sized_ms: int | None
    size_current: bool
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingPage:
    """A page of a list.

    Attributes:
        objects: In order.
        after: Where the next page begins; None when the list is over.
    """

    objects: list[ListedObject]
    after: ListingPosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceTotals:
    """What the lists hold of one namespace; sizes are as old as the lists' are."""

    namespace: str
    objects: int
    size_bytes: int
    rows: int


class BoundedCount(NamedTuple):
    """A number that was counted up to a bound; not `exact` when the bound was reached."""

    number: int
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFigures:
    """Numbers about everything; each takes a bounded time to find.

    Attributes:
        workers_live: Workers whose lease holds and that take rooms.
        workers_draining: Those that give their rooms up.
        objects_live: Objects that a worker holds whose lease holds.
        alarms_pending: Alarms that will be rung.
        database_bytes: What the whole database takes on disk.
    """

    workers_live: int
    workers_draining: int
    objects_live: BoundedCount
    alarms_pending: BoundedCount
    database_bytes: int


class ObjectListing(Protocol):
    """What there is.

    Any call may be cancelled, and raises StoreUnavailable when the database is away.
    """

    async def page(self, request: ListingRequest) -> ListingPage:
        """Return one page of a list."""
        ...

    async def find(self, object_id: ObjectId) -> ListedObject | None:
        """Return one object, or None if it never was, or never stored anything and was given up.

        A size that is out of date is measured anew if that is quickly done.
        """
        ...

    async def totals(self) -> list[NamespaceTotals]:
        """Return the totals of every namespace that has objects, in the order of their names."""
        ...

    async def figures(self) -> ClusterFigures:
        """Return numbers about everything."""
        ...

    async def set_tags(self, object_id: ObjectId, tags: Collection[str]) -> bool:
        """Replace the tags of an object; False, and nothing done, if there is no such object.

        An object that stores nothing loses its tags when its worker gives it up.
        """
        ...
