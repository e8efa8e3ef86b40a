"""What objects cost: of one, and which cost most. Reading wakes nothing."""

from typing import Final

import structlog

from ...cluster.locator import Locator
from ...cluster.steering import Steering
from ...cluster.usage import Usages
from ...core.errors import NamespaceUnknown, StateroomError
from ...core.ids import ObjectId
from ...core.limits import LONGEST_NAME_BYTES
from ...core.listing import ListingFilter, ListingRequest, ObjectListing, SortBy
from ...core.usage import Usage, UsageMeasure
from .objects_named import object_of
from .operation import AdminCall, Operation, Role
from .usage_models import (
    DayTold,
    ObjectUsageTold,
    RankedObject,
    RankedTime,
    TopQuery,
    TopTold,
    UsageNowTold,
    UsageQuery,
    UsageTold,
)

_LOOK_SECONDS: Final = 5.0
_log = structlog.get_logger("stateroom.admin")


class UsageOperations:
    """See the module.

    Args:
        usages: What objects cost, wherever they live.
        listing: What they store.
        steering: Looks at live objects.
        locator: The namespaces and ids.
    """

    def __init__(
        self, usages: Usages, listing: ObjectListing, steering: Steering, locator: Locator
    ) -> None:
        self._usages = usages
        self._listing = listing
        self._steering = steering
        self._locator = locator

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [
            Operation(
                name="get_top_usage",
                method="GET",
                path="/usage/top",
                role=Role.VIEWER,
                tag="objects",
                summary="Rank objects by what they cost",
                description=(
                    "`now` is asked of every live worker and is of its last ten seconds; `day` "
                    "is the sum since midnight (UTC), up to about half a minute ago."
                ),
                handle=self._top,
                query=TopQuery,
                answer=TopTold,
            ),
            Operation(
                name="get_object_usage",
                method="GET",
                path="/namespaces/{namespace}/objects/{object}/usage",
                role=Role.VIEWER,
                tag="objects",
                summary="Tell what an object costs, now and by day",
                description=(
                    "Also of an object that stores nothing and is not there any more. One that "
                    "never did anything has no days."
                ),
                handle=self._of_object,
                query=UsageQuery,
                answer=ObjectUsageTold,
                errors=(NamespaceUnknown,),
            ),
        ]

    async def _of_object(self, call: AdminCall) -> ObjectUsageTold:
        locator = self._locator
        object_id = object_of(
            call.path, locator.ids, locator.namespaces, name_bytes=LONGEST_NAME_BYTES
        )
        days = await self._usages.book.days(object_id, days=call.query.days)
        return ObjectUsageTold(
            now=await self._now(object_id),
            days=[DayTold(day=each.day, usage=UsageTold.of(each.usage)) for each in days],
        )

    async def _now(self, object_id: ObjectId) -> UsageNowTold | None:
        try:
            looked = await self._steering.look(object_id, "activity", within_seconds=_LOOK_SECONDS)
        except StateroomError as error:
            # The days are as good without it.
            _log.warning("usage_unknown", object=str(object_id), code=error.code)
            return None
        if looked is None or not looked[0].get("usage_seconds"):
            return None
        return UsageNowTold(
            seconds=looked[0]["usage_seconds"],
            usage=UsageTold.model_validate(looked[0]["usage"]),
        )

    async def _top(self, call: AdminCall) -> TopTold:
        query: TopQuery = call.query
        measure = query.by.measure
        if measure is None:
            return await self._largest(query.limit)
        if query.window is RankedTime.DAY:
            return await self._top_of_day(measure, query.limit)
        top = await self._usages.top_now(measure, query.limit)
        return TopTold(
            items=[
                _ranked(
                    costly.used.object_id,
                    amount=costly.rate(measure),
                    seconds=costly.seconds,
                    usage=costly.used.usage,
                )
                for costly in top.objects
            ],
            silent_workers=top.silent_workers,
        )

    async def _top_of_day(self, measure: UsageMeasure, limit: int) -> TopTold:
        found = await self._usages.book.top(measure, limit=limit)
        items = [
            _ranked(used.object_id, amount=measure.of(used.usage), usage=used.usage)
            for used in found
        ]
        return TopTold(items=items, silent_workers=0)

    async def _largest(self, limit: int) -> TopTold:
        page = await self._listing.page(
            ListingRequest(where=ListingFilter(), sort=SortBy.SIZE, descending=True, limit=limit)
        )
        items = [
            _ranked(each.object_id, amount=each.size_bytes)
            for each in page.objects
            if each.size_bytes
        ]
        return TopTold(items=items, silent_workers=0)


def _ranked(
    object_id: ObjectId,
    *,
    amount: float,
    seconds: float | None = None,
    usage: Usage | None = None,
) -> RankedObject:
    return RankedObject(
        id=str(object_id),
        namespace=object_id.namespace,
        name=object_id.name,
        amount=amount,
        seconds=seconds,
        usage=None if usage is None else UsageTold.of(usage),
    )
