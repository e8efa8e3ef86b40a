"""What a worker does for the others: takes their sockets in, and answers their calls.

Each kind of call has a handler, registered by whoever serves it. A call is answered by the
object's owner or refused; it is never passed on.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from ..core.errors import CallRefused, IdInvalid, LinkGarbled, StateroomError
from ..core.ids import ObjectId
from ..core.tasks import TaskOwner
from .link import Link
from .link_ends import RemoteTransport
from .link_errors import NotBegun
from .link_frames import FrameKind
from .questions import ask_here
from .registry import RoomRegistry
from .remote_requests import request_from, response_meta

Meta = Mapping[str, Any]
CallHandler = Callable[[ObjectId, Meta, bytes], Awaitable[tuple[dict[str, Any], bytes]]]
"""Serves one kind of call on an object; raises StateroomError, or NotBegun with one inside."""

ResultT = TypeVar("ResultT")

ASK = "ask"
REQUEST = "request"
_FAULT = "the worker that holds the object has failed"


class LinkService:
    """See the module. It is a `LinkHost`.

    Args:
        registry: The rooms of this worker.
    """

    def __init__(self, registry: RoomRegistry) -> None:
        self._registry = registry
        self._tasks = TaskOwner("link-service")
        self._handlers: dict[str, CallHandler] = {REQUEST: self._request}

    def serve(self, kind: str, handler: CallHandler) -> None:
        """Answer calls of a kind with this handler."""
        self._handlers[kind] = handler

    async def close(self) -> None:
        """Serve nobody any more."""
        await self._tasks.close()

    def opened(self, link: Link, stream: int, meta: Meta) -> None:
        """See `LinkHost`."""
        # In this step: the very next frame may say that the client is gone.
        transport = link.own(stream)
        self._tasks.start(self._take_socket(link, stream, transport, meta), name="remote-socket")

    def called(self, link: Link, stream: int, meta: Meta, body: bytes) -> None:
        """See `LinkHost`."""
        self._tasks.start(self._answer(link, stream, meta, body), name="remote-call")

    async def _take_socket(
        self, link: Link, stream: int, transport: RemoteTransport, meta: Meta
    ) -> None:
        try:
            request = _read(lambda: request_from(meta, b""))
            connection_id = _read(lambda: str(meta["connection"]))
            object_id = _read(lambda: self._object_id(meta))
            sink = await self._registry.connect(object_id, request, transport, connection_id)
        except StateroomError as error:
            link.refuse(stream, error)
        except Exception:
            link.refuse(stream, StateroomError(_FAULT))  # or the other side would wait in vain
            raise
        else:
            transport.attach(sink)

    async def _answer(self, link: Link, stream: int, meta: Meta, body: bytes) -> None:
        handler = self._handlers.get(str(meta.get(ASK)))
        if handler is None:
            link.fail(stream, StateroomError("this worker does not know that kind of call"))
            return
        try:
            object_id = _read(lambda: self._object_id(meta))
            answer, payload = await handler(object_id, meta, body)
        except (StateroomError, NotBegun) as error:
            link.fail(stream, error)
        except Exception:
            link.fail(stream, StateroomError(_FAULT))
            raise
        else:
            try:
                link.tell(FrameKind.ANSWER, stream, answer, payload)
            except CallRefused as error:  # the other side would end the link, and all on it
                link.fail(stream, error)

    async def _request(
        self, object_id: ObjectId, meta: Meta, body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        request = _read(lambda: request_from(meta, body))
        asked = await ask_here(self._registry, object_id, lambda room: room.put_request(request))
        answer, payload = response_meta(asked.result)
        return answer | {"receipt": str(asked.receipt)}, payload

    def _object_id(self, meta: Meta) -> ObjectId:
        namespace, name = str(meta["namespace"]), meta.get("name")
        if namespace not in self._registry.namespaces:
            raise IdInvalid("that namespace is not mounted here")
        if isinstance(name, str):
            return self._registry.ids.from_name(namespace, name)
        return self._registry.ids.from_string(namespace, str(meta["id"]))


def _read(read: Callable[[], ResultT]) -> ResultT:
    """Read something out of a description; what is not there garbles that stream alone."""
    try:
        return read()
    except StateroomError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LinkGarbled("a description that cannot be read") from error


def object_meta(object_id: ObjectId) -> dict[str, Any]:
    """How an object is named in a call."""
    return {
        "namespace": object_id.namespace,
        "id": str(object_id),
        "name": object_id.name,
    }
