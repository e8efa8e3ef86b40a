"""What the admin plane says of objects, and how lists of them are asked for."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from ...core.ids import WorkerId
from ...core.limits import NAME_BYTES
from ...core.listing import (
    OBJECT_TAG_CHARACTERS,
    TAGS_OF_OBJECT,
    ListedObject,
    ListingFilter,
    SortBy,
)
from .models import Asked, Instant, PageQuery, Told, instant_of_ms
from .usage_models import UsageTold

_Size = Annotated[int, Field(ge=0, le=2**63 - 1)]


def is_text(value: str) -> str:
    """Refuse what no database keeps as text.

    Raises:
        ValueError: It holds a NUL character or half a surrogate pair.
    """
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("holds a NUL character or half a surrogate pair")
    return value


class ListOrder(StrEnum):
    """What a list of objects is ordered by; with a minus sign, backwards."""

    NAME = "name"
    NAME_BACKWARDS = "-name"
    SIZE = "size"
    SIZE_BACKWARDS = "-size"
    LAST_COMMIT = "last_commit"
    LAST_COMMIT_BACKWARDS = "-last_commit"

    @property
    def sort(self) -> SortBy:
        """The order itself."""
        return SortBy(self.value.removeprefix("-"))

    @property
    def descending(self) -> bool:
        """Whether it is the other way round."""
        return self.value.startswith("-")


class ObjectQuery(PageQuery):
    """Which objects, and in which order. All conditions that are given must hold."""

    prefix: Annotated[str, Field(max_length=NAME_BYTES)] = ""
    """How the name begins, letter for letter."""
    owner: UUID | None = None
    """Only what this worker holds."""
    live: bool | None = None
    """Only what a live worker holds, or only what none holds."""
    min_bytes: _Size | None = None
    """Only objects of at least this size, as it was last measured."""
    max_bytes: _Size | None = None
    """Only objects of at most this size."""
    committed_after: AwareDatetime | None = None
    """Only what was last committed to at this time or later."""
    committed_before: AwareDatetime | None = None
    """Only what was last committed to before this time."""
    tag: Annotated[str, Field(max_length=OBJECT_TAG_CHARACTERS)] | None = None
    """Only what carries this tag."""
    sort: ListOrder = ListOrder.NAME
    """The order of the list."""

    def filter(self, namespaces: list[str] | None) -> ListingFilter:
        """The conditions, for the store."""
        return ListingFilter(
            namespaces=namespaces,
            prefix=self.prefix,
            owner=None if self.owner is None else WorkerId(self.owner),
            live=self.live,
            min_bytes=self.min_bytes,
            max_bytes=self.max_bytes,
            committed_after_ms=_ms(self.committed_after),
            committed_before_ms=_ms(self.committed_before),
            tag=self.tag,
        )


class ObjectTold(Told):
    """An object, as the database knows it."""

    id: str
    """64 hex digits; `id:` and these name the object in a path too."""
    namespace: str
    """The class it belongs to."""
    name: str | None
    """What it was first reached by; null if it never was by a name."""
    worker_id: str | None
    """The worker that holds it, or held it last and died; null when it was given up."""
    live: bool
    """Whether that worker lives."""
    epoch: int
    """Under which ownership it is or was held; every new one has a higher number."""
    commit_seq: int
    """How many commits it has had."""
    created_at: Instant
    """When it was first reached."""
    committed_at: Instant | None
    """When it last committed; null: never."""
    frozen_at: Instant | None
    """Since when it takes no changes; null: it does."""
    size_bytes: int | None
    """Keys and values added up, as they are stored; null: not measured yet."""
    rows: int | None
    """How many keys it has stored."""
    size_as_of: Instant | None
    """When size and rows were measured."""
    size_current: bool
    """Whether nothing was committed since."""
    tags: list[str]
    """What people have put on it."""

    @classmethod
    def of(cls, listed: ListedObject) -> Self:
        """Say what is known of an object."""
        return cls.model_validate(fields_of(listed))


def fields_of(listed: ListedObject) -> dict[str, object]:
    """The fields of `ObjectTold`."""
    return {
        "id": str(listed.object_id),
        "namespace": listed.object_id.namespace,
        "name": listed.object_id.name,
        "worker_id": None if listed.worker_id is None else str(listed.worker_id),
        "live": listed.live,
        "epoch": listed.epoch,
        "commit_seq": listed.commit_seq,
        "created_at": instant_of_ms(listed.created_ms),
        "committed_at": _instant(listed.committed_ms),
        "frozen_at": _instant(listed.frozen_ms),
        "size_bytes": listed.size_bytes,
        "rows": listed.rows,
        "size_as_of": _instant(listed.sized_ms),
        "size_current": listed.size_current,
        "tags": list(listed.tags),
    }


class MemberTold(Told):
    """A socket of a live object."""

    id: str
    """Its id."""
    tags: list[str]
    """What the object's class has put on it."""


class ActivityTold(Told):
    """What a live object is doing, in the worker that holds it."""

    state: str
    """Where its room is in its life: active, hibernated, draining and so on."""
    awake: bool
    """Whether there is an instance; a hibernated object has none, and keeps its sockets."""
    connections: int
    """How many sockets it has."""
    members: list[MemberTold]
    """The first 100 of them."""
    queued_events: int
    """How many events wait for their turn."""
    queued_bytes: int
    """How large they are."""
    unconfirmed_bytes: int
    """How much is written and not known to be committed."""
    events: int
    """How many events have run since this worker took the object."""
    commits: int
    """How many commits there were since then."""
    usage: UsageTold | None = None
    """What it cost in the last some ten seconds."""
    usage_seconds: float = 0.0
    """How long exactly; 0: the worker has only just started."""


class AlarmsTold(Told):
    """The alarms of an object, in numbers."""

    pending: int
    """How many will be rung."""
    given_up: int
    """How many will not be rung any more, because they failed too often."""
    next_at: Instant | None
    """When the next one is rung; null if none is pending."""


class ObjectPage(ObjectTold):
    """All about one object."""

    alarms: AlarmsTold
    """Its alarms; there is a list of its own for all."""
    activity: ActivityTold | None
    """What it is doing; null while nobody holds it, or when its holder did not answer."""


class TagsPut(Asked):
    """The tags that an object is to carry."""

    tags: Annotated[
        list[
            Annotated[
                str,
                StringConstraints(min_length=1, max_length=OBJECT_TAG_CHARACTERS),
            ]
        ],
        Field(max_length=TAGS_OF_OBJECT),
    ]
    """All of them: what is not named is taken off. Order and repetition mean nothing."""


class TagsTold(Told):
    """The tags that an object carries."""

    tags: list[str]
    """In order."""


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp() * 1000)


def _instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else instant_of_ms(milliseconds)
