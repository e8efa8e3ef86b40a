"""Everything that can be asked of an object, wherever it lives. What the web asks.

Each call says what it means here and over a link; `finder` knows which of the two it is.
"""

import asyncio
from collections.abc import Awaitable, Callable

from ..core.errors import LinkBroken, RoomAborted, WorkerLeaving
from ..core.handoff import GivableSocket, HandoffAnswer, SocketGiver
from ..core.ids import ObjectId, ObjectIds
from ..core.sockets import SocketSink, SocketTransport
from ..core.tracing import Tracer
from ..core.values import LiveWorker
from ..sdk.messages import Request, Response
from .finder import OwnerFinder
from .link import Link
from .link_service import ASK, REQUEST, STREAMED, object_meta
from .namespaces import Namespaces
from .questions import Outcome, ask_here, once_begun
from .registry import RoomRegistry
from .remote_requests import request_meta, response_from
from .traced_sink import TracedSink

_ANSWER_SECONDS = 300.0
"""The backstop: the owner sees to it that no event takes longer than it may."""


class Locator:
    """See the module. Its calls are the registry's, for objects anywhere.

    Args:
        registry: The rooms of this worker.
        finder: Where other objects are.
    """

    def __init__(self, registry: RoomRegistry, finder: OwnerFinder) -> None:
        self._registry = registry
        self._finder = finder
        self._giver: SocketGiver | None = None
        self.tracer: Tracer | None = None
        """Records what is passed on to other workers, if anybody does."""

    def give_by(self, giver: SocketGiver | None) -> None:
        """Hand sockets to other workers of this machine so; without, links serve them."""
        self._giver = giver

    @property
    def ids(self) -> ObjectIds:
        """Makes the ids of this cluster."""
        return self._registry.ids

    @property
    def namespaces(self) -> Namespaces:
        """What is mounted; the same on every worker."""
        return self._registry.namespaces

    def is_here(self, object_id: ObjectId) -> bool:
        """See `OwnerFinder.is_here`."""
        return self._finder.is_here(object_id)

    def at_hand(self, object_id: ObjectId) -> bool:
        """Whether a socket may join in the very step that asks: the instance is here, started."""
        room = self._registry.at_hand(object_id)
        return room is not None and room.awake

    def join_at_hand(
        self,
        object_id: ObjectId,
        request: Request,
        transport: SocketTransport,
        connection_id: str,
    ) -> SocketSink:
        """Bring a socket to its object at once, where `at_hand` says so in the same step.

        Raises:
            StateroomError: It could not be taken; nothing was sent to the socket.
        """
        room = self._registry.at_hand(object_id)
        if room is None:
            raise RoomAborted
        return room.join(request, transport, connection_id)

    async def find(self, object_id: ObjectId, offered: GivableSocket | None = None) -> bool:
        """Make sure that the object can be reached: its room is started here, or its link is up.

        A socket that is offered goes to the object's holder itself if that is a worker of this
        machine which takes it. Returns whether it did: then nobody here serves it any more.

        Raises:
            StateroomError: It cannot.
        """

        async def here() -> bool:
            await self._registry.room(object_id)
            return False

        async def there(link: Link) -> bool:
            del link  # that it is up is enough
            return False

        beside = self._hand_over(object_id, offered) if offered is not None else None
        return await self._finder.reach(object_id, here, there, beside)

    def _hand_over(
        self, object_id: ObjectId, offered: GivableSocket
    ) -> Callable[[LiveWorker], Awaitable[bool | None]] | None:
        """How the socket is offered to a holder."""
        giver = self._giver
        if giver is None:
            return None

        async def beside(holder: LiveWorker) -> bool | None:
            answer = await giver.give(holder.worker_id, object_id, offered)
            if answer is HandoffAnswer.NOT_MINE:
                raise WorkerLeaving("the worker that held the object has given it up")
            return True if answer is HandoffAnswer.TAKEN else None

        return beside

    async def connect(
        self,
        object_id: ObjectId,
        request: Request,
        transport: SocketTransport,
        connection_id: str,
    ) -> SocketSink:
        """Bring a socket to its object.

        Raises:
            StateroomError: It could not be reached; nothing was sent to the socket.
        """

        async def here() -> SocketSink:
            return await self._registry.connect(object_id, request, transport, connection_id)

        async def there(link: Link) -> SocketSink:
            meta = object_meta(object_id) | request_meta(request)
            sink = await link.open(meta | {"connection": connection_id}, transport)
            return sink if self.tracer is None else TracedSink(sink, self.tracer, object_id)

        return await self._finder.reach(object_id, here, there)

    async def request(self, object_id: ObjectId, request: Request) -> tuple[Response, str]:
        """Run an object's `on_request`, once at most; returns its answer and receipt.

        Once it has begun a failure is told and not tried again: a broken link or a lost room
        leaves it unknown what the object did.

        Raises:
            StateroomError: It could not be reached, or failed.
        """

        async def here() -> Outcome[tuple[Response, str]]:
            return await once_begun(self._request_here(object_id, request))

        async def there(link: Link) -> Outcome[tuple[Response, str]]:
            return await once_begun(_request_there(link, object_id, request))

        return (await self._finder.reach(object_id, here, there)).get()

    async def _request_here(self, object_id: ObjectId, request: Request) -> tuple[Response, str]:
        answered = await ask_here(self._registry, object_id, lambda room: room.put_request(request))
        return answered.result, str(answered.receipt)


async def _request_there(link: Link, object_id: ObjectId, request: Request) -> tuple[Response, str]:
    meta = object_meta(object_id) | request_meta(request) | {ASK: REQUEST}
    if request.pieces is not None:
        meta[STREAMED] = True
    exchange = link.exchange(meta, request)
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            answer, body = await asyncio.shield(exchange.answer)
    except TimeoutError as error:
        exchange.give_up()
        raise LinkBroken("the worker that holds the object does not answer") from error
    except asyncio.CancelledError:
        exchange.give_up()
        raise
    return response_from(answer, body), str(answer["receipt"])
