"""What a worker does for the others: takes their sockets in, and answers their calls.

Each kind of call has a handler, registered by whoever serves it. A call is answered by the
object's owner or refused; it is never passed on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from ..core.errors import CallRefused, IdInvalid, LinkBroken, LinkGarbled, StateroomError
from ..core.ids import ObjectId
from ..core.limits import CALL_BYTES
from ..core.pipes import BytePipe
from ..core.tasks import TaskOwner
from ..sdk.messages import Response
from .link import Link
from .link_ends import RemoteTransport
from .link_errors import NotBegun
from .link_frames import FrameKind
from .questions import ask_here
from .registry import RoomRegistry
from .remote_requests import in_pieces, request_from, response_meta, whole_body

Meta = Mapping[str, Any]
CallHandler = Callable[[ObjectId, Meta, bytes], Awaitable[tuple[dict[str, Any], bytes]]]
"""Serves one kind of call on an object; raises StateroomError, or NotBegun with one inside."""

WorkerCallHandler = Callable[[Meta], Awaitable[dict[str, Any]]]
"""Serves one kind of call on this worker itself."""

ResultT = TypeVar("ResultT")

ASK = "ask"
REQUEST = "request"
STREAMED = "streamed"
"""Said of a request whose body comes in pieces, when it is asked for."""
_FAULT = "the worker that holds the object has failed"


class LinkService:
    """See the module. It is a `LinkHost`.

    Args:
        registry: The rooms of this worker.
    """

    def __init__(self, registry: RoomRegistry) -> None:
        self._registry = registry
        self._tasks = TaskOwner("link-service")
        self._handlers: dict[str, CallHandler] = {}
        self._worker_handlers: dict[str, WorkerCallHandler] = {}
        self._to_be_given_up = {REQUEST}
        self._under_way: dict[tuple[Link, int], asyncio.Task[None]] = {}

    def serve(self, kind: str, handler: CallHandler, *, given_up: bool = False) -> None:
        """Answer calls of a kind with this handler.

        Args:
            kind: What the other side calls it.
            handler: Serves one call.
            given_up: Whether it is cancelled when the caller does not wait any more.
        """
        self._handlers[kind] = handler
        if given_up:
            self._to_be_given_up.add(kind)

    def serve_worker(self, kind: str, handler: WorkerCallHandler) -> None:
        """Answer calls of a kind that are about this worker, and about no object of it."""
        self._worker_handlers[kind] = handler

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
        asked = str(meta.get(ASK))
        if asked == REQUEST:
            work = self._answer_request(link, stream, meta, body)
        else:
            work = self._answer(link, stream, meta, body)
        task = self._tasks.start(work, name="remote-call")
        if asked in self._to_be_given_up:
            call = (link, stream)
            self._under_way[call] = task
            task.add_done_callback(lambda done: self._forget(call, done))

    def given_up(self, link: Link, stream: int) -> None:
        """See `LinkHost`."""
        task = self._under_way.pop((link, stream), None)
        if task is not None:
            task.cancel()

    def _forget(self, call: "tuple[Link, int]", done: "asyncio.Task[None]") -> None:
        if self._under_way.get(call) is done:  # the number may be another call's by now
            del self._under_way[call]

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
        try:
            answer, payload = await self._served(str(meta.get(ASK)), meta, body)
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

    async def _served(self, kind: str, meta: Meta, body: bytes) -> tuple[dict[str, Any], bytes]:
        if (worker_handler := self._worker_handlers.get(kind)) is not None:
            return await worker_handler(meta), b""
        handler = self._handlers.get(kind)
        if handler is None:
            raise StateroomError("this worker does not know that kind of call")
        return await handler(_read(lambda: self._object_id(meta)), meta, body)

    async def _answer_request(self, link: Link, stream: int, meta: Meta, body: bytes) -> None:
        """Serve a request, whose body and answer may come in pieces."""
        try:
            served = link.serve(stream)
        except LinkBroken:
            return
        try:
            pieces = served if meta.get(STREAMED) else None
            request = _read(lambda: request_from(meta, body, pieces))
            object_id = _read(lambda: self._object_id(meta))
            asked = await ask_here(
                self._registry, object_id, lambda room: room.put_request(request)
            )
            answer: Response = asked.result
            receipt = {"receipt": str(asked.receipt)}
            if not isinstance(answer.body, BytePipe):
                body = whole_body(answer)
                if len(body) <= CALL_BYTES:
                    served.answer(response_meta(answer) | receipt, body)
                    return
                answer = in_pieces(answer, body)
            assert isinstance(answer.body, BytePipe)  # noqa: S101 - says so to mypy
            await served.stream(response_meta(answer) | receipt, answer.body)
        except (StateroomError, NotBegun) as error:
            served.fail(error)
        except Exception:
            served.fail(StateroomError(_FAULT))
            raise
        finally:
            served.broken()  # unless it has ended: then that means nothing

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
