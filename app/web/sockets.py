"""WebSocket endpoints: check, find the object, shake hands, and get out of the way.

Everything that can refuse a client does so before the handshake, with an HTTP status. After it
the room and the transport talk to one another directly; this task only waits for the end.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..cluster.locator import Locator
from ..cluster.routes import RouteTable
from ..core.clock import Clock
from ..core.errors import StateroomError
from ..core.ids import ObjectId
from ..core.sockets import NO_GOODBYE, SocketEnd, SocketSink, SocketTransport
from ..core.tasks import TaskOwner
from ..sdk.messages import Request
from .access import AccessPolicy
from .addresses import check_name, is_reserved, object_address, raw_path_of
from .channels import ChannelSocket
from .held import HeldTransport
from .problems import problem, problem_of
from .queued import QueuedSocket
from .requests import request_of

_COMEBACKS = 64
"""How many channels come back to their objects at a time, of all sockets together."""
_COME_BACK = (1012, "service restart")
_DIRECT_EXTENSION = "stateroom.direct"
_CONNECTION_ID_BYTES = 12
_NO_STATUS = 1005
_PROTOCOL = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


class SocketGateway:
    """See the module.

    Args:
        locator: Finds objects.
        routes: Which namespace a raw path belongs to.
        access: Who may come in.
        reserved: First segments that are never rooms.
        name_bytes: The longest name that a socket is opened by.
        close_for: The close code and reason for an error after the handshake.
        patience_seconds: How long a channel whose object went away is brought back.
        clock: For multiplexers.
        tasks: Owner of writers and joins.
    """

    def __init__(
        self,
        *,
        locator: Locator,
        routes: RouteTable,
        access: AccessPolicy,
        reserved: Collection[str],
        name_bytes: int,
        close_for: Callable[[Exception], tuple[int, str]],
        patience_seconds: float,
        clock: Clock,
        tasks: TaskOwner,
    ) -> None:
        self._locator = locator
        self._routes = routes
        self._access = access
        self._reserved = frozenset(reserved)
        self._name_bytes = name_bytes
        self._close_for = close_for
        self._patience = patience_seconds
        self._turns = asyncio.Semaphore(_COMEBACKS)
        self._multiplexed_sockets: set[ChannelSocket] = set()
        self._clock = clock
        self._tasks = tasks

    async def room(self, websocket: WebSocket) -> None:
        """`/{path}`: the room of that raw path."""
        try:
            path = raw_path_of(websocket.scope.get("raw_path") or websocket.url.path.encode())
            if is_reserved(path, self._reserved):
                await websocket.send_denial_response(_not_found())
                return
            await self._serve(websocket, path, "/" + path)
        except StateroomError as error:
            await websocket.send_denial_response(problem_of(error))

    async def object(self, websocket: WebSocket) -> None:
        """`/objects/{namespace}/{name}[/rest]`: that object."""
        try:
            path = raw_path_of(websocket.scope.get("raw_path") or websocket.url.path.encode())
            address = object_address(path)
            if address is None or address.namespace not in self._locator.namespaces:
                await websocket.send_denial_response(_not_found())
                return
            await self._serve(websocket, address.name, address.rest, address.namespace)
        except StateroomError as error:
            await websocket.send_denial_response(problem_of(error))

    async def _serve(
        self, websocket: WebSocket, name: str, path: str, namespace: str | None = None
    ) -> None:
        check_name(name, limit_bytes=self._name_bytes)
        request = request_of(websocket, path)
        refusal = self._access.refuse_surface(request.headers)
        refusal = refusal or self._access.refuse_room(request.headers, request.query)
        if refusal is not None:
            await websocket.send_denial_response(refusal)
            return
        found = namespace or self._routes.namespace_of(name)
        if found is None:
            await websocket.send_denial_response(_not_found())
            return
        offered = request.subprotocols[0] if request.subprotocols else None
        protocol = offered if offered and _PROTOCOL.fullmatch(offered) else None
        makers = self._locator.namespaces.mount(found).cls.multiplexers
        if protocol is not None and protocol in makers:
            await self._multiplexed(websocket, request, name, namespace, protocol, makers[protocol])
        else:
            object_id = self._locator.ids.from_name(found, name)
            await self._plain(websocket, request, object_id, protocol)

    async def _plain(
        self, websocket: WebSocket, request: Request, object_id: ObjectId, protocol: str | None
    ) -> None:
        await self._locator.find(object_id)  # a room that cannot start is refused with a status
        transport = self._transport(websocket)
        if not self._locator.is_here(object_id):
            await self._far(websocket, request, object_id, protocol, transport)
            return
        await websocket.accept(subprotocol=protocol)
        try:
            sink = await self._locator.connect(object_id, request, transport, _new_id())
        except StateroomError as error:
            with suppress(WebSocketDisconnect):
                await websocket.close(*self._close_for(error))
            return
        await _pump(websocket, transport, sink)

    async def _far(
        self,
        websocket: WebSocket,
        request: Request,
        object_id: ObjectId,
        protocol: str | None,
        transport: Any,
    ) -> None:
        """Join an object at another worker, then answer the handshake."""
        held = HeldTransport(transport)
        sink = await self._locator.connect(object_id, request, held, _new_id())
        try:
            await websocket.accept(subprotocol=protocol)
        except BaseException:
            sink.ended(NO_GOODBYE.code, NO_GOODBYE.reason, clean=NO_GOODBYE.clean)
            raise
        held.release()
        await _pump(websocket, transport, sink)

    async def _multiplexed(
        self,
        websocket: WebSocket,
        request: Request,
        base: str,
        namespace: str | None,
        protocol: str,
        make: Callable[[], Any],
    ) -> None:
        await websocket.accept(subprotocol=protocol)
        transport = self._transport(websocket)
        objects = _ObjectsBelow(
            base,
            request,
            locator=self._locator,
            namespace_of=lambda path: namespace or self._routes.namespace_of(path),
            refuse=self._close_for,
            turns=self._turns,
            patience_seconds=self._patience,
        )
        sink = ChannelSocket(
            multiplexer=make(),
            transport=transport,
            objects=objects,
            clock=self._clock,
            tasks=self._tasks,
        )
        self._multiplexed_sockets.add(sink)
        try:
            await _pump(websocket, transport, sink)
        finally:
            self._multiplexed_sockets.discard(sink)

    async def leave(self) -> None:
        """The worker goes away: close the multiplexed sockets, whose channels are elsewhere now.

        Rooms close their own sockets when they leave; these have to be told here.
        """
        for sink in list(self._multiplexed_sockets):
            sink.leave(*_COME_BACK)

    def _transport(self, websocket: WebSocket) -> Any:
        direct = websocket.scope.get("extensions", {}).get(_DIRECT_EXTENSION)
        if direct is not None:
            return direct["socket"]
        return QueuedSocket(websocket.send, self._tasks, self._clock)


class _ObjectsBelow:
    """The objects of one multiplexed socket, by their path below its own; `ChannelObjects`."""

    def __init__(
        self,
        base: str,
        request: Request,
        *,
        locator: Locator,
        namespace_of: Callable[[str], str | None],
        refuse: Callable[[Exception], tuple[int, str]],
        turns: asyncio.Semaphore,
        patience_seconds: float,
    ) -> None:
        self._base = base
        self._request = request
        self._locator = locator
        self._namespace_of = namespace_of
        self._connection_id = _new_id()
        self.refuse = refuse
        self.turns = turns
        self.patience_seconds = patience_seconds

    async def join(self, suffix: str, transport: SocketTransport, *, resumed: bool) -> SocketSink:
        """See `ChannelObjects.join`."""
        path = self._path(suffix)
        found = self._namespace_of(path)
        if found is None:
            raise StateroomError("no route leads there")
        object_id = self._locator.ids.from_name(found, path)
        request = replace(self._request, resumed=True) if resumed else self._request
        return await self._locator.connect(object_id, request, transport, self._connection_id)

    def resumes(self, suffix: str) -> bool:
        """See `ChannelObjects.resumes`."""
        found = self._namespace_of(self._path(suffix))
        return found is not None and bool(self._locator.namespaces.mount(found).cls.resumes)

    def _path(self, suffix: str) -> str:
        return f"{self._base}/{suffix}" if self._base else suffix


async def _pump(websocket: WebSocket, transport: Any, sink: SocketSink) -> None:
    """Carry messages to the sink until the socket ends, and tell it how."""
    end = NO_GOODBYE
    try:
        if isinstance(transport, QueuedSocket):
            message = await transport.carry(websocket.receive, sink)
        else:
            transport.attach(sink)
            message = await websocket.receive()
            await transport.delivered()
        if message is not None:
            end = transport.end or _end_of(message)
    finally:
        sink.ended(end.code, end.reason, clean=end.clean)


def _end_of(message: Any) -> SocketEnd:
    """How the socket ended, by ASGI's word: without a reason field nobody has said goodbye."""
    code = message.get("code", _NO_STATUS)
    reason = message.get("reason")
    if code == NO_GOODBYE.code or (reason is None and code == _NO_STATUS):
        return NO_GOODBYE
    return SocketEnd(code, reason or "", clean=True)


def _new_id() -> str:
    """An id for a connection: unique, printable, without line feeds, and never `S`."""
    return secrets.token_urlsafe(_CONNECTION_ID_BYTES)


def _not_found() -> Response:
    return problem(status=404, code="not_found", title="There is nothing at this address")
