"""Steering objects wherever they live: the way of the admin plane into a live object.

`ask` brings a change to the object's owner, which is claimed first if it need be; `look` asks
only if the object is live somewhere, and never claims or wakes it. What is done there is a
handler of the room's side, by its name (`room.steer_table`).

Nothing is done twice: the object is looked for again only until the handler has begun. From then
on a failure is told as it is, and a broken link or a lost room leaves it unknown what was done;
such an error is `retryable`, and whether to ask again is for whoever asked.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..core.errors import (
    CallRefused,
    CallTimedOut,
    LinkGarbled,
    MethodUnknown,
    RoomAborted,
    StateroomError,
)
from ..core.ids import ObjectId
from ..core.limits import CALL_BYTES
from ..core.owners import ObjectOwners
from ..room.calls import Declined
from ..room.room import Room
from ..room.steer_table import STEER_HANDLERS
from ..room.steering import SteerAnswer, SteerHandler
from .finder import OwnerFinder
from .link import Link
from .link_errors import NotBegun
from .link_service import ASK, LinkService, object_meta
from .questions import Outcome, answer_of, once_begun, wrong_place
from .registry import RoomRegistry

STEER: Final = "steer"
STEER_SECONDS: Final = 60.0
"""How long a change may take: to find the owner, to wait for its turn, and to be committed."""
_LOOKS: Final = 3
"""An object that is on its way while we look is looked for so many times."""
_NOTHING: Final[Mapping[str, Any]] = {}


class Steering:
    """See the module.

    Args:
        registry: The rooms of this worker.
        finder: Where other objects are.
        owners: Who holds an object, for those who only look.
        handlers: What can be done.
    """

    def __init__(
        self,
        registry: RoomRegistry,
        finder: OwnerFinder,
        owners: ObjectOwners,
        *,
        handlers: Iterable[SteerHandler] = STEER_HANDLERS,
    ) -> None:
        self._registry = registry
        self._finder = finder
        self._owners = owners
        self._handlers = {handler.name: handler for handler in handlers}

    def serve(self, service: LinkService) -> None:
        """Steer objects of this worker for the others."""
        service.serve(STEER, self._answer, given_up=True)

    async def ask(
        self,
        object_id: ObjectId,
        what: str,
        meta: Mapping[str, Any] = _NOTHING,
        body: bytes = b"",
        *,
        within_seconds: float = STEER_SECONDS,
    ) -> SteerAnswer:
        """Have the object's owner do something; the answer comes when it is committed.

        Cancelled before it has begun, it is not done.

        Args:
            object_id: The object; whoever holds it does it, and if nobody does, it is claimed.
            what: The name of a handler.
            meta: What it is told, of JSON types.
            body: What it is given, at most `CALL_BYTES`.
            within_seconds: The deadline.

        Raises:
            CallTimedOut: It was not answered in time; whether it was done is not known.
            CallRefused: The body is too large; nothing was done.
            StateroomError: It was refused or failed. One that is `retryable` may be asked again
                if doing it twice does no harm.
        """
        _check_size(body)

        async def here() -> Outcome[SteerAnswer]:
            return await once_begun(self._here(object_id, what, meta, body))

        async def there(link: Link) -> Outcome[SteerAnswer]:
            return await once_begun(_there(link, object_id, what, meta, body, within_seconds))

        try:
            async with asyncio.timeout(within_seconds):
                outcome = await self._finder.reach(object_id, here, there)
        except TimeoutError:
            raise CallTimedOut from None
        return outcome.get()

    async def look(
        self,
        object_id: ObjectId,
        what: str,
        meta: Mapping[str, Any] = _NOTHING,
        body: bytes = b"",
        *,
        within_seconds: float = STEER_SECONDS,
    ) -> SteerAnswer | None:
        """Do what `ask` does if the object is live somewhere, hibernated or not; else None.

        An object that is being claimed or is leaving at the moment counts as not live.

        Raises:
            StateroomError: See `ask`; also when its holder cannot be reached.
        """
        _check_size(body)
        try:
            async with asyncio.timeout(within_seconds):
                return await self._look(object_id, what, meta, body, within_seconds)
        except TimeoutError:
            raise CallTimedOut from None

    async def _look(
        self,
        object_id: ObjectId,
        what: str,
        meta: Mapping[str, Any],
        body: bytes,
        within_seconds: float,
    ) -> SteerAnswer | None:
        for _ in range(_LOOKS):
            try:
                room = self._registry.at_hand(object_id)
                if room is not None:
                    return await self._steer(room, what, meta, body)
                holder = await self._owners.holder(object_id)
                if holder is None:
                    return None
                link = await self._finder.link_to(holder)
                if link is None:
                    continue  # it is we who hold it: it has come, or is just coming or going
                call = _there(link, object_id, what, meta, body, within_seconds, live_only=True)
                return await call
            except NotBegun as refused:
                if not isinstance(refused.error, RoomAborted):
                    raise refused.error from refused
        return None

    async def _here(
        self, object_id: ObjectId, what: str, meta: Mapping[str, Any], body: bytes
    ) -> SteerAnswer:
        try:
            room = await self._registry.find(object_id)
        except StateroomError as error:
            raise NotBegun(error) from error
        return await self._steer(room, what, meta, body)

    async def _steer(
        self, room: Room, what: str, meta: Mapping[str, Any], body: bytes
    ) -> SteerAnswer:
        handler = self._handlers.get(what)
        if handler is None:
            unknown = MethodUnknown(
                f"the worker that holds the object cannot do {what!r}",
                remedy="Run the same version on all workers.",
            )
            raise NotBegun(unknown)
        if not room.open:
            raise NotBegun(RoomAborted())
        question = room.steering.put(handler, meta, body)
        try:
            result: SteerAnswer | Declined = await answer_of(question)
        except StateroomError as error:
            if question.begun:
                raise
            raise NotBegun(wrong_place(error)) from error
        if isinstance(result, Declined):
            raise result.error
        _check_size(result[1])
        return result

    async def _answer(
        self, object_id: ObjectId, asked: Mapping[str, Any], body: bytes
    ) -> SteerAnswer:
        """Steer an object of ours for another worker."""
        what, meta = str(asked.get("what")), asked.get("meta")
        if not isinstance(meta, Mapping):
            raise NotBegun(LinkGarbled())
        if asked.get("live"):
            room = self._registry.at_hand(object_id)
            if room is None:
                raise NotBegun(RoomAborted("the object is not live here"))
            told, payload = await self._steer(room, what, meta, body)
        else:
            told, payload = await self._here(object_id, what, meta, body)
        return {"told": told}, payload


async def _there(
    link: Link,
    object_id: ObjectId,
    what: str,
    meta: Mapping[str, Any],
    body: bytes,
    within_seconds: float,
    *,
    live_only: bool = False,
) -> SteerAnswer:
    asked = object_meta(object_id) | {ASK: STEER, "what": what, "meta": dict(meta)}
    if live_only:
        asked["live"] = True
    answer, payload = await link.call(asked, body, within_seconds=within_seconds)
    told = answer.get("told")
    if not isinstance(told, dict):
        raise LinkGarbled
    return told, payload


def _check_size(body: bytes) -> None:
    if len(body) > CALL_BYTES:
        raise CallRefused(f"{len(body)} bytes do not fit one call, the limit is {CALL_BYTES}")
