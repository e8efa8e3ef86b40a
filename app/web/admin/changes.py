"""A change, from the check to its result: audited, and run once for each Idempotency-Key.

The order is what makes it safe. The key is claimed, then the audit's record written, and only
then is the change begun; if either cannot be written it is not begun at all. When the result is
known it is added to the record and kept for whoever repeats the request. A key whose request did
nothing is free again; one whose outcome nobody knows is never run again.

A request without a valid token leaves no record: anybody could fill the table.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import structlog
from starlette.responses import Response

from ...core.admin_errors import (
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    RequestOutcomeUnknown,
    RequestUnderWay,
)
from ...core.audit import AuditTrail, Intent, Result
from ...core.codec import dump_json
from ...core.errors import Overloaded, StateroomError
from ...core.repeats import ANSWER_BYTES, Claim, Earlier, Repeats
from .operation import AdminCall, Caller, Operation
from .statuses import admin_status

REPLAYED_HEADER: Final = "stateroom-replayed"

_KEY_HEADER: Final = "idempotency-key"
_SERVER_FAULT: Final = 500
_KEY_CHARACTERS: Final = 255
_PATH_CHARACTERS: Final = 2_048
_NAME_CHARACTERS: Final = 1_100
_UNDER_WAY_SECONDS: Final = 120.0
"""After this nobody runs it any more: an operation has a deadline."""

_log = structlog.get_logger("stateroom.admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A change that somebody wants, before its fields are read.

    Attributes:
        operation: Which one.
        caller: Who.
        request_id: The request's id.
        path: The raw path below `/admin/v1`.
        parameters: The path's parameters.
    """

    operation: Operation
    caller: Caller
    request_id: UUID
    path: str
    parameters: Mapping[str, str]


class Changes:
    """See the module.

    Args:
        trail: The audit.
        repeats: The keys.
    """

    def __init__(self, trail: AuditTrail, repeats: Repeats) -> None:
        self._trail = trail
        self._repeats = repeats

    async def run(
        self,
        wish: Wish,
        check: Callable[[], Awaitable[AdminCall]],
        do: Callable[[AdminCall], Awaitable[Response]],
    ) -> Response:
        """Check a change, run it if it may be, and return its response.

        Raises:
            StateroomError: It was refused, or it failed; the record says so.
        """
        try:
            call = await check()
            claim = _claim_of(wish, call)
            replay = None if claim is None else await self._claim(claim)
        except StateroomError as error:
            await self._refused(wish, error)
            raise
        if replay is not None:
            return replay
        try:
            await self._trail.begin(_intent_of(wish))
        except StateroomError:
            await self._release(claim)
            raise
        return await self._do(wish, call, claim, do)

    async def _do(
        self,
        wish: Wish,
        call: AdminCall,
        claim: Claim | None,
        do: Callable[[AdminCall], Awaitable[Response]],
    ) -> Response:
        try:
            response = await do(call)
        except StateroomError as error:
            status = admin_status(error)
            if status < _SERVER_FAULT or isinstance(error, Overloaded):
                await self._release(claim)
            await self._complete(wish, Result(status=status, code=error.code))
            raise
        except Exception:
            await self._complete(wish, Result(status=_SERVER_FAULT, code="internal"))
            raise
        await self._complete(wish, Result(status=response.status_code))
        await self._keep(claim, response)
        return response

    async def _claim(self, claim: Claim) -> Response | None:
        earlier = await self._repeats.claim(claim)
        if earlier is None:
            return None
        if earlier.fingerprint != claim.fingerprint:
            raise IdempotencyKeyReused
        return _replayed(earlier)

    async def _refused(self, wish: Wish, error: StateroomError) -> None:
        result = Result(status=admin_status(error), code=error.code)
        try:
            await self._trail.begin(_intent_of(wish), result)
        except StateroomError as failure:
            _log.error("refusal_not_audited", request_id=str(wish.request_id), code=failure.code)

    async def _complete(self, wish: Wish, result: Result) -> None:
        """The change is over, whatever becomes of this."""
        try:
            await self._trail.complete(wish.request_id, result)
        except StateroomError as failure:
            _log.error(
                "result_not_audited",
                request_id=str(wish.request_id),
                operation=wish.operation.name,
                status=result.status,
                code=failure.code,
            )

    async def _keep(self, claim: Claim | None, response: Response) -> None:
        if claim is None or not isinstance(body := getattr(response, "body", None), bytes):
            return
        if len(body) > ANSWER_BYTES:
            _log.warning("answer_too_large_to_keep", size=len(body))
            return
        try:
            await self._repeats.answer(claim, status=response.status_code, body=body)
        except StateroomError as failure:
            _log.error("answer_not_kept", request_id=str(claim.request_id), code=failure.code)

    async def _release(self, claim: Claim | None) -> None:
        if claim is None:
            return
        try:
            await self._repeats.release(claim)
        except StateroomError as failure:
            _log.error("key_not_released", request_id=str(claim.request_id), code=failure.code)


def _replayed(earlier: Earlier) -> Response:
    if earlier.status is None:
        raise RequestUnderWay if earlier.age_seconds < _UNDER_WAY_SECONDS else RequestOutcomeUnknown
    return Response(
        earlier.body or None,
        status_code=earlier.status,
        media_type="application/json" if earlier.body else None,
        headers={REPLAYED_HEADER: earlier.request_id.hex},
    )


def _claim_of(wish: Wish, call: AdminCall) -> Claim | None:
    key = call.headers.get(_KEY_HEADER)
    if key is None or not wish.operation.creates:
        return None
    if not 0 < len(key) <= _KEY_CHARACTERS or not all("!" <= each <= "~" for each in key):
        raise IdempotencyKeyInvalid
    models = [None if each is None else each.model_dump(mode="json") for each in _models(call)]
    length = call.headers.get("content-length") if wish.operation.takes else None
    request = [wish.operation.name, sorted(call.path.items()), *models, length]
    return Claim(
        caller=f"{wish.caller.name} {wish.caller.token_id}",
        key=key,
        fingerprint=sha256(dump_json(request)).digest(),
        request_id=wish.request_id,
    )


def _models(call: AdminCall) -> tuple[Any, Any]:
    return call.query, call.body


def _intent_of(wish: Wish) -> Intent:
    return Intent(
        audit_id=wish.request_id,
        caller=wish.caller.name,
        role=wish.caller.role.value,
        operation=wish.operation.name,
        namespace=_named(wish, "namespace"),
        object=_named(wish, "object"),
        path=wish.path[:_PATH_CHARACTERS],
    )


def _named(wish: Wish, parameter: str) -> str | None:
    """A name of the path; one that no text column holds names nothing that is there."""
    name = wish.parameters.get(parameter)
    return None if name is None or "\0" in name else name[:_NAME_CHARACTERS]
