"""Where an object is: here, or at another worker over a link. What the web asks.

An object that nobody holds is claimed here (first touch). One that another worker holds is
reached over the link to it; where it was found is remembered until that proves wrong. Nothing is
forwarded twice: a worker that is asked over a link serves the object itself or says who it is
not (architecture, sections 1 and 9 e).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from ..core.clock import Clock
from ..core.errors import (
    IdInvalid,
    LinkBroken,
    OwnedElsewhere,
    RoomAborted,
    StateroomError,
    WorkerLeaving,
)
from ..core.ids import ObjectId, ObjectIds, WorkerId
from ..core.sockets import SocketSink, SocketTransport
from ..core.tasks import TaskOwner
from ..sdk.messages import Request, Response
from .link import Link
from .link_frames import FrameKind
from .links import Links
from .namespaces import Namespaces
from .registry import RoomRegistry
from .remote_requests import request_from, request_meta, response_from, response_meta

ResultT = TypeVar("ResultT")

_PAUSE_SECONDS = 0.05
_PLACEMENTS = 100_000


class Placement(NamedTuple):
    """Who held an object when it was last looked for."""

    worker_id: WorkerId
    address: str


class _Unreachable(Exception):
    """No link could be made: nothing was asked of anybody, so it may be tried again."""

    def __init__(self, error: LinkBroken) -> None:
        super().__init__(str(error))
        self.error = error


class Locator:
    """See the module. Its calls are the registry's, for objects anywhere.

    Args:
        registry: The rooms of this worker.
        links: The way to other workers, or None when there are none.
        clock: For the waits between tries.
        patience_seconds: How long to look for an object whose holder does not answer: a dead
            worker's lease may have to run out first.
    """

    def __init__(
        self,
        registry: RoomRegistry,
        *,
        clock: Clock,
        patience_seconds: float,
    ) -> None:
        self._registry = registry
        self._links: Links | None = None
        self._clock = clock
        self._patience = patience_seconds
        self._placements: dict[UUID, Placement] = {}
        self._tasks = TaskOwner("locator")

    @property
    def ids(self) -> ObjectIds:
        """Makes the ids of this cluster."""
        return self._registry.ids

    @property
    def namespaces(self) -> Namespaces:
        """What is mounted; the same on every worker."""
        return self._registry.namespaces

    def use(self, links: Links) -> None:
        """Reach other workers over these links."""
        self._links = links

    async def close(self) -> None:
        """Stop serving other workers."""
        await self._tasks.close()

    async def find(self, object_id: ObjectId) -> None:
        """Make sure that the object can be reached: its room is started here, or its link is up.

        Raises:
            StateroomError: It cannot.
        """

        async def here() -> None:
            await self._registry.room(object_id)

        async def there(link: Link) -> None:
            del link  # that it is up is enough

        await self._reach(object_id, here, there)

    def is_here(self, object_id: ObjectId) -> bool:
        """Whether a socket would join in the very step that asks, as far as is known."""
        return object_id in self._registry or object_id.uuid not in self._placements

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
            meta = _object_meta(object_id) | request_meta(request)
            return await link.open(meta | {"connection": connection_id}, transport)

        return await self._reach(object_id, here, there)

    async def request(self, object_id: ObjectId, request: Request) -> tuple[Response, str]:
        """Run an object's `on_request`; returns its answer and receipt.

        A link that breaks under the call fails it: whether the object ran is not known, so it is
        not asked again.

        Raises:
            StateroomError: It could not be reached, or failed.
        """

        async def here() -> tuple[Response, str]:
            response, receipt = await self._registry.request(object_id, request)
            return response, str(receipt)

        async def there(link: Link) -> tuple[Response, str]:
            meta, body = await link.call(
                _object_meta(object_id) | request_meta(request), request.body
            )
            return response_from(meta, body), str(meta["receipt"])

        return await self._reach(object_id, here, there)

    # -- asked by other workers (LinkHost) -----------------------------------------------------

    def opened(self, link: Link, stream: int, meta: Mapping[str, Any]) -> None:
        """See `LinkHost`."""
        self._tasks.start(self._serve_socket(link, stream, meta), name="remote-socket")

    def called(self, link: Link, stream: int, meta: Mapping[str, Any], body: bytes) -> None:
        """See `LinkHost`."""
        self._tasks.start(self._serve_call(link, stream, meta, body), name="remote-call")

    async def _serve_socket(self, link: Link, stream: int, meta: Mapping[str, Any]) -> None:
        transport = link.own(stream)
        try:
            sink = await self._registry.connect(
                self._object_id(meta),
                request_from(meta, b""),
                transport,
                str(meta["connection"]),
            )
        except StateroomError as error:
            link.refuse(stream, error)
        else:
            transport.attach(sink)

    async def _serve_call(
        self, link: Link, stream: int, meta: Mapping[str, Any], body: bytes
    ) -> None:
        try:
            response, receipt = await self._registry.request(
                self._object_id(meta), request_from(meta, body)
            )
        except StateroomError as error:
            link.fail(stream, error)
        else:
            answer, payload = response_meta(response)
            link.tell(FrameKind.ANSWER, stream, answer | {"receipt": str(receipt)}, payload)

    def _object_id(self, meta: Mapping[str, Any]) -> ObjectId:
        namespace, name = str(meta["namespace"]), meta.get("name")
        if namespace not in self.namespaces:
            raise IdInvalid("that namespace is not mounted here")
        if isinstance(name, str):
            return self.ids.from_name(namespace, name)
        return self.ids.from_string(namespace, str(meta["id"]))

    # -- looking for the owner -----------------------------------------------------------------

    async def _reach(
        self,
        object_id: ObjectId,
        here: Callable[[], Awaitable[ResultT]],
        there: Callable[[Link], Awaitable[ResultT]],
    ) -> ResultT:
        """Serve here or there; look again when the place turns out to be wrong."""
        give_up_at = self._clock.monotonic() + self._patience
        while True:
            try:
                placement = self._placements.get(object_id.uuid)
                if placement is None or object_id in self._registry:
                    return await here()
                return await self._over_link(placement, there)
            except _Unreachable as wrong_way:
                if not self._look_again(object_id, wrong_way.error, give_up_at):
                    raise wrong_way.error from wrong_way
            except (OwnedElsewhere, WorkerLeaving, RoomAborted) as error:
                if not self._look_again(object_id, error, give_up_at):
                    raise
            if object_id.uuid not in self._placements:
                await self._clock.sleep(_PAUSE_SECONDS)

    async def _over_link(
        self,
        placement: Placement,
        there: Callable[[Link], Awaitable[ResultT]],
    ) -> ResultT:
        assert self._links is not None  # noqa: S101 - a placement is made with links only
        try:
            link = await self._links.to(placement.worker_id, placement.address)
        except LinkBroken as error:
            raise _Unreachable(error) from error
        return await there(link)

    def _look_again(self, object_id: ObjectId, error: StateroomError, give_up_at: float) -> bool:
        """Learn from an error where the object is or is not; False when it is time to give up."""
        was_known = self._placements.pop(object_id.uuid, None) is not None
        if isinstance(error, OwnedElsewhere) and error.address and self._links is not None:
            if error.worker_id is not None and not was_known:
                if len(self._placements) >= _PLACEMENTS:
                    self._placements.clear()
                self._placements[object_id.uuid] = Placement(
                    WorkerId(error.worker_id), error.address
                )
        elif isinstance(error, WorkerLeaving) and not was_known:
            return False  # it is we who are leaving
        return self._clock.monotonic() < give_up_at


def _object_meta(object_id: ObjectId) -> dict[str, Any]:
    return {
        "namespace": object_id.namespace,
        "id": str(object_id),
        "name": object_id.name,
    }
