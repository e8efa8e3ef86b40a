"""Stubs for callers that are no objects: whoever embeds the service, and the admin plane.

The same stubs as objects have, but nothing to be part of: a call leaves when it is made.
"""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, overload

from ..core.ids import ObjectId
from ..core.limits import CALL_SECONDS
from ..room.call_result import CallResult
from ..room.calls import fetch_body, result_of, rpc_body
from ..room.exchange import CallLane
from ..room.outgoing import CallBody, OutgoingCall
from ..sdk.messages import Request, Response
from ..sdk.namespace import Namespace, ObjectT, Stub, TypedNamespace, check_class
from .calls import Calls


class OutsideStubs:
    """See the module.

    Args:
        calls: Where calls go.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    @overload
    def namespace(self, name: str) -> Namespace: ...

    @overload
    def namespace(self, name: str, cls: type[ObjectT]) -> TypedNamespace[ObjectT]: ...

    def namespace(self, name: str, cls: type[Any] | None = None) -> Any:
        """See `sdk.Context.namespace`."""
        check_class(name, self._calls.class_of(name), cls)
        return Namespace(name, self._calls.ids, self._route_to)

    @overload
    def stub(self, namespace: str, name: str) -> Stub: ...

    @overload
    def stub(self, namespace: str, name: str, cls: type[ObjectT]) -> ObjectT: ...

    def stub(self, namespace: str, name: str, cls: type[Any] | None = None) -> Any:
        """The object of that name; with the class, its stub has the class's type.

        Raises:
            NamespaceUnknown, IdInvalid: There can be none.
            TypeError: Another class is mounted.
        """
        check_class(namespace, self._calls.class_of(namespace), cls)
        return self.namespace(namespace).get_by_name(name)

    def _route_to(self, target: ObjectId, seconds: float | None) -> "OutsideRoute":
        return OutsideRoute(self._calls, target, CALL_SECONDS if seconds is None else seconds)


class OutsideRoute:
    """See `sdk.StubRoute`."""

    def __init__(self, calls: Calls, target: ObjectId, seconds: float) -> None:
        self._calls = calls
        self._target = target
        self._cls = calls.class_of(target.namespace)
        self._lane: CallLane = calls.lane(target)
        self._seconds = seconds

    def call(
        self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        """See `sdk.StubRoute.call`."""
        return self._send(rpc_body(self._cls, method, args, kwargs))

    def fetch(self, request: Request) -> Coroutine[Any, Any, Response]:
        """See `sdk.StubRoute.fetch`."""
        return self._send(fetch_body(request))

    def _send(self, body: CallBody) -> "SentCall":
        call = OutgoingCall(
            call_id=self._calls.new_id(),
            caller=None,
            target=self._target,
            body=body,
            seconds=self._seconds,
            clock=self._calls.clock,
        )
        call.begin_deadline()
        self._lane.send(call)
        return SentCall(call)


class SentCall(CallResult):
    """A call that has left; awaiting it gives its result."""

    def __init__(self, call: OutgoingCall) -> None:
        super().__init__()
        self._call = call

    async def _wait(self) -> Any:
        self._call.awaited = True
        return result_of(self._call, await self._call.answer)
