"""Calls of objects as they travel over a link: described in JSON, arguments and bodies raw."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..core.errors import CallRefused
from ..core.limits import CALL_BYTES
from ..room.outgoing import CallBody, Fetch, OutgoingCall, Rpc, name_of
from ..sdk.messages import Response
from .deadlock import Wait
from .remote_requests import request_from, request_meta, response_from, response_meta, whole_body


class CallMeta(NamedTuple):
    """What is told of a call besides its body.

    Attributes:
        call: Its name in the cluster.
        lane: The stub it was made on.
        again: An earlier call of the lane came back; it is this one that comes first.
        within: The call that the waiting event itself answers.
        wait: The caller and its call, for probes; None for a caller outside of objects.
    """

    call: str
    lane: str
    again: bool
    within: str | None
    wait: Wait | None


def call_meta(call: OutgoingCall, lane: str, *, again: bool) -> tuple[dict[str, Any], bytes]:
    """What is told of a call, and its body."""
    meta: dict[str, Any] = {"call": call.id, "lane": lane}
    if again:
        meta["again"] = True
    if call.within is not None:
        meta["within"] = call.within
    if call.caller is not None:
        meta["caller"] = [str(call.caller), name_of(call.caller)]
    if isinstance(call.body, Rpc):
        return meta | {"method": call.body.method}, call.body.arguments
    request = call.body.request
    return meta | {"request": request_meta(request)}, request.body


def call_from(meta: Mapping[str, Any], body: bytes) -> tuple[CallMeta, CallBody]:
    """The call that was told."""
    call_id, within, caller = str(meta["call"]), meta.get("within"), meta.get("caller")
    told = CallMeta(
        call=call_id,
        lane=str(meta["lane"]),
        again=bool(meta.get("again", False)),
        within=None if within is None else str(within),
        wait=None if caller is None else Wait(call_id, str(caller[0]), str(caller[1])),
    )
    if "method" in meta:
        return told, Rpc(str(meta["method"]), body)
    return told, Fetch(request_from(meta["request"], body))


def wait_of(call: OutgoingCall) -> Wait | None:
    """The wait for a call, as probes name it."""
    caller = call.caller
    return None if caller is None else Wait(call.id, str(caller), name_of(caller))


def result_meta(result: bytes | Response) -> tuple[dict[str, Any], bytes]:
    """What is told of a result.

    Raises:
        CallRefused: It is too large.
    """
    if isinstance(result, bytes):
        meta, payload = {}, result
    else:
        meta, payload = response_meta(result), whole_body(result)
    if len(payload) > CALL_BYTES:
        raise CallRefused(f"the answer has {len(payload)} bytes, the limit is {CALL_BYTES}")
    return meta, payload


def result_from(body: CallBody, meta: Mapping[str, Any], payload: bytes) -> bytes | Response:
    """The result that was told."""
    return payload if isinstance(body, Rpc) else response_from(meta, payload)


def copied(body: CallBody) -> CallBody:
    """A call's body as another object of the same worker gets it."""
    if isinstance(body, Rpc):
        return body
    return Fetch(request_from(request_meta(body.request), body.request.body))


def copied_result(result: bytes | Response) -> bytes | Response:
    """A result as a caller on the same worker gets it; raises what `result_meta` raises."""
    meta, payload = result_meta(result)
    return payload if isinstance(result, bytes) else response_from(meta, payload)
