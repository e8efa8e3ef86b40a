"""WebSockets: check, find the object, shake hands, and get out of the way.

Everything that can refuse a client does so before the handshake, with an HTTP status. After it
the room and the transport talk to one another directly. The engine of `stateroom serve` and the
ASGI endpoint offer sockets by the same port (`core.handshakes`), so there is one set of rules.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from typing import Any, NamedTuple
from weakref import WeakSet

from starlette.responses import Response

from ..cluster.locator import Locator
from ..cluster.routes import RouteTable
from ..core.clock import Clock
from ..core.errors import AccessRefused, StateroomError
from ..core.grants import Grant
from ..core.handshakes import Handshake, OfferedSocket, OpenSocket, Refusal
from ..core.ids import ObjectId
from ..core.metrics import Counting, count_nothing
from ..core.sockets import NO_GOODBYE, SocketSink, SocketTransport
from ..core.tasks import TaskOwner
from ..sdk.messages import Request
from .access import AccessPolicy
from .addresses import OBJECTS, check_name, is_reserved, object_address, raw_path_of
from .channels import ChannelSocket
from .credentials import entering, without_tokens
from .forwarded import HEADER, TRUST_NOBODY, TrustedProxies
from .held import HeldTransport
from .limits import ClientLimits
from .problems import problem, problem_of

_COMEBACKS = 64
"""How many channels come back to their objects at a time, of all sockets together."""
_COME_BACK = (1012, "service restart")
_CONNECTION_ID_BYTES = 12
_PROTOCOL = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


class _Target(NamedTuple):
    """Where an accepted socket goes.

    Attributes:
        request: What the object is told.
        name: The object's name; that of a multiplexed socket is where its channels begin.
        namespace: The object's namespace.
        routed: Whether the namespace was found by the routes, which then name channels' as well.
        protocol: The subprotocol to answer, if any.
    """

    request: Request
    name: str
    namespace: str
    routed: bool
    protocol: str | None


class SocketGateway:
    """See the module; a `core.handshakes.HandshakeGate`.

    Args:
        locator: Finds objects.
        routes: Which namespace a raw path belongs to.
        access: Who may come in.
        trusted: The proxies whose word about a client's address counts.
        reserved: First segments that are never rooms.
        name_bytes: The longest name that a socket is opened by.
        close_for: The close code and reason for an error after the handshake.
        patience_seconds: How long a channel whose object went away is brought back.
        limits: How often a client may come.
        clock: For multiplexers.
        tasks: Owner of joins.
        counters: Told how handshakes end.
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
        limits: ClientLimits,
        clock: Clock,
        tasks: TaskOwner,
        trusted: TrustedProxies = TRUST_NOBODY,
        counters: Counting = count_nothing,
    ) -> None:
        self._trusted = trusted
        self._counters = counters
        self._locator = locator
        self._routes = routes
        self._access = access
        self._reserved = frozenset(reserved)
        self._name_bytes = name_bytes
        self._close_for = close_for
        self._patience = patience_seconds
        self._limits = limits
        self._turns = asyncio.Semaphore(_COMEBACKS)
        self._multiplexed_sockets: WeakSet[ChannelSocket] = WeakSet()
        self._clock = clock
        self._tasks = tasks

    def decide(
        self, handshake: Handshake, offer: OfferedSocket
    ) -> Coroutine[Any, Any, None] | None:
        """See `HandshakeGate.decide`. A room that is at hand needs no further step."""
        try:
            return self._decide(handshake, offer)
        except StateroomError as error:
            self._refuse(offer, error)
            return None

    def _decide(
        self, handshake: Handshake, offer: OfferedSocket
    ) -> Coroutine[Any, Any, None] | None:
        if not offer.admitted:
            self._limits.connect(_client_of(handshake, self._trusted))
        found = self._judge(handshake, admitted=offer.admitted)
        if isinstance(found, Response):
            self._counters("handshakes", "refused")
            offer.refuse(_refusal(found))
            return None
        if offer.admitted:
            self._counters("handoffs", "taken")
        try:
            granted = self._access.grant_of(found.namespace, found.name, found.request)
            if isinstance(granted, Grant):
                return self._enter(found, granted, offer)
        except AccessRefused as error:
            self._turn_back(found, offer, error)
            return None
        return self._enter_later(found, granted, offer)

    async def _enter_later(
        self, found: _Target, granted: Coroutine[Any, Any, Grant], offer: OfferedSocket
    ) -> None:
        """Enter when it is decided, which has a deadline of its own."""
        try:
            work = self._enter(found, await granted, offer)
        except AccessRefused as error:
            self._turn_back(found, offer, error)
        except StateroomError as error:
            self._refuse(offer, error)
        else:
            if work is not None:
                await work

    def _enter(
        self, found: _Target, grant: Grant, offer: OfferedSocket
    ) -> Coroutine[Any, Any, None] | None:
        """Go on with what the client was let in for; each channel of many is judged by itself.

        Raises:
            RoomForbidden: The grant does not open the room.
        """
        if not offer.admitted:
            self._limits.identify(grant.subject)
        makers = self._locator.namespaces.mount(found.namespace).cls.multiplexers
        if found.protocol is not None and found.protocol in makers:
            named = found._replace(request=replace(found.request, grant=grant))
            self._multiplex(named, offer, makers[found.protocol])
            return None
        request = entering(found.request, grant, found.namespace, found.name)
        found = found._replace(request=request)
        object_id = self._locator.ids.from_name(found.namespace, found.name)
        if self._locator.at_hand(object_id):
            self._join_at_hand(found, offer, object_id)
            return None
        if not offer.admitted:
            self._limits.wake(request, grant.subject, found.namespace)
        return self._join(found, offer, object_id)

    async def leave(self) -> None:
        """The worker goes away: close the multiplexed sockets, whose channels are elsewhere now.

        Rooms close their own sockets when they leave; these have to be told here.
        """
        for sink in list(self._multiplexed_sockets):
            sink.leave(*_COME_BACK)

    # -- the rules -----------------------------------------------------------------------------

    def _judge(self, handshake: Handshake, *, admitted: bool) -> "_Target | Response":
        """Where a client may go; one that was let in already is asked for nothing.

        Raises:
            StateroomError: The address is none.
        """
        path = raw_path_of(handshake.path)
        name, rest, namespace = path, "/" + path, None
        if path.startswith(OBJECTS):
            address = object_address(path)
            if address is None or address.namespace not in self._locator.namespaces:
                return _not_found()
            name, rest, namespace = address.name, address.rest, address.namespace
        elif is_reserved(path, self._reserved):
            return _not_found()
        check_name(name, limit_bytes=self._name_bytes)
        if not admitted and (refusal := self._refused(handshake)) is not None:
            return refusal
        found = namespace or self._routes.namespace_of(name)
        if found is None:
            return _not_found()
        return _Target(
            request=self._request_of(handshake, rest),
            name=name,
            namespace=found,
            routed=namespace is None,
            protocol=_chosen(without_tokens(handshake.subprotocols)),
        )

    def _request_of(self, handshake: Handshake, path: str) -> Request:
        """What an object sees of a handshake; `path` is what remains after its own address."""
        return Request(
            path=path,
            query=handshake.query,
            headers=handshake.headers,
            client=_client_of(handshake, self._trusted),
            subprotocols=handshake.subprotocols,
        )

    def _refused(self, handshake: Handshake) -> Response | None:
        headers, query = handshake.headers, handshake.query
        return self._access.refuse_surface(headers) or self._access.refuse_room(headers, query)

    # -- one object ----------------------------------------------------------------------------

    def _join_at_hand(self, target: _Target, offer: OfferedSocket, object_id: ObjectId) -> None:
        transport = self._accept(target, offer)
        try:
            sink = self._locator.join_at_hand(object_id, target.request, transport, _new_id())
        except StateroomError as error:
            self._turn_away(transport, error)
        else:
            transport.attach(sink)

    async def _join(self, target: _Target, offer: OfferedSocket, object_id: ObjectId) -> None:
        try:
            # A room that cannot start is refused with a status.
            if await self._locator.find(object_id, offer):
                self._counters("handshakes", "given")
                self._counters("handoffs", "given")
                return  # the worker that holds the object serves it
            if not self._locator.is_here(object_id):
                await self._join_far(target, offer, object_id)
                return
        except StateroomError as error:
            self._refuse(offer, error)
            return
        transport = self._accept(target, offer)
        try:
            sink = await self._locator.connect(object_id, target.request, transport, _new_id())
        except StateroomError as error:
            self._turn_away(transport, error)
        except BaseException:
            transport.abort()
            raise
        else:
            transport.attach(sink)

    async def _join_far(self, target: _Target, offer: OfferedSocket, object_id: ObjectId) -> None:
        """Join an object at another worker, then answer the handshake."""
        held = HeldTransport()
        sink = await self._locator.connect(object_id, target.request, held, _new_id())
        try:
            transport = self._accept(target, offer)
        except BaseException:
            sink.ended(NO_GOODBYE.code, NO_GOODBYE.reason, clean=NO_GOODBYE.clean)
            raise
        held.release(transport)
        transport.attach(sink)

    def _accept(self, target: _Target, offer: OfferedSocket) -> OpenSocket:
        self._counters("handshakes", "accepted")
        return offer.accept(target.protocol)

    def _refuse(self, offer: OfferedSocket, error: StateroomError) -> None:
        self._counters("handshakes", "refused")
        self._counters("rejects", error.code)
        offer.refuse(_refusal(problem_of(error)))

    def _turn_back(self, target: _Target, offer: OfferedSocket, error: AccessRefused) -> None:
        """Refuse a client whose credential does not do.

        Pages cannot see the status of a refused handshake, and could not tell a token that is
        over from a server that is away. So theirs are accepted, and closed at once.
        """
        if "origin" in target.request.headers:
            self._turn_away(self._accept(target, offer), error)
        else:
            self._refuse(offer, error)

    def _turn_away(self, transport: OpenSocket, error: StateroomError) -> None:
        self._counters("rejects", error.code)
        transport.close(*self._close_for(error))

    # -- several objects -----------------------------------------------------------------------

    def _multiplex(self, target: _Target, offer: OfferedSocket, make: Callable[[], Any]) -> None:
        transport = self._accept(target, offer)
        objects = _ObjectsBelow(
            target.name,
            target.request,
            locator=self._locator,
            namespace_of=self._routes.namespace_of if target.routed else lambda _: target.namespace,
            refuse=self._close_for,
            turns=self._turns,
            limits=self._limits,
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
        transport.attach(sink)


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
        limits: ClientLimits,
        patience_seconds: float,
    ) -> None:
        self._base = base
        self._request = request
        self._locator = locator
        self._namespace_of = namespace_of
        self._connection_id = _new_id()
        self._limits = limits
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
        request = entering(self._request, self._request.grant, found, path)
        request = replace(request, resumed=True) if resumed else request
        if not resumed and not self._locator.at_hand(object_id):
            self._limits.wake(request, self._request.grant.subject, found)
        return await self._locator.connect(object_id, request, transport, self._connection_id)

    def resumes(self, suffix: str) -> bool:
        """See `ChannelObjects.resumes`."""
        found = self._namespace_of(self._path(suffix))
        return found is not None and bool(self._locator.namespaces.mount(found).cls.resumes)

    def _path(self, suffix: str) -> str:
        return f"{self._base}/{suffix}" if self._base else suffix


def _client_of(handshake: Handshake, trusted: TrustedProxies) -> str:
    return trusted.client_of(handshake.client, handshake.headers.get(HEADER))


def _chosen(offered: tuple[str, ...]) -> str | None:
    """A room takes the first protocol that is offered."""
    return offered[0] if offered and _PROTOCOL.fullmatch(offered[0]) else None


def _new_id() -> str:
    """An id for a connection: unique, printable, without line feeds, and never `S`."""
    return secrets.token_urlsafe(_CONNECTION_ID_BYTES)


def _refusal(response: Response) -> Refusal:
    return Refusal(response.status_code, response.raw_headers, bytes(response.body))


def _not_found() -> Response:
    return problem(status=404, code="not_found", title="There is nothing at this address")
