"""`/metrics`: the metrics of all workers, to those who may read them.

`?scope=node` tells of the workers of this machine only: for a scraper that reaches every machine
by itself. Closed by default: without a setting a token is needed, unless a server that listens on
loopback is asked by this machine, by a loopback name and not through a proxy.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Final
from uuid import uuid4

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from ..cluster.metrics import MetricsGathering
from ..core.clock import Clock
from ..core.errors import StateroomError
from ..core.metrics import Reading
from .access import names_loopback
from .admin.credentials import Gatekeeper
from .admin.statuses import admin_problem
from .credentials import bearer_of
from .metrics_text import write
from .problems import problem

_SCOPES: Final = ("cluster", "node")
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


class MetricsEndpoint:
    """See the module.

    Args:
        gathering: Asks the workers.
        of_cluster: Finds what belongs to no single worker.
        gatekeeper: Judges tokens of the admin plane; None when anybody may read.
        token: A token of its own.
        trusts_loopback: Whether this machine's own requests need none.
        clock: Measures the gathering.
    """

    def __init__(
        self,
        gathering: MetricsGathering,
        of_cluster: Callable[[], Awaitable[Sequence[Reading]]],
        *,
        gatekeeper: Gatekeeper | None,
        token: str | None,
        trusts_loopback: bool,
        clock: Clock,
    ) -> None:
        self._gathering = gathering
        self._of_cluster = of_cluster
        self._gatekeeper = gatekeeper
        self._token = token
        self._trusts_loopback = trusts_loopback
        self._clock = clock

    async def handle(self, http: HttpRequest) -> Response:
        """Answer a scrape."""
        try:
            await self._admit(http)
        except StateroomError as error:
            return admin_problem(error, request_id=str(uuid4()))
        scope = http.query_params.get("scope", _SCOPES[0])
        if scope not in _SCOPES:
            return problem(
                status=400,
                code="scope_unknown",
                title="There is no such scope",
                detail=f"It is one of {', '.join(_SCOPES)}.",
            )
        began = self._clock.monotonic()
        told, found = await asyncio.gather(
            self._gathering.gather(this_node=scope == "node"), self._of_cluster()
        )
        of_cluster = list(found)
        seconds = self._clock.monotonic() - began
        of_cluster.append(Reading("gather_seconds", (), seconds))
        written = write(told, of_cluster, http.headers.get("accept", ""))
        headers = {"content-type": written.media_type, "cache-control": "no-store"}
        return Response(written.body, headers=headers)

    async def _admit(self, http: HttpRequest) -> None:
        """Return if the request may be answered.

        Raises:
            StateroomError: It may not.
        """
        address = http.client.host if http.client is not None else ""
        if self._gatekeeper is None:
            return
        if self._trusts_loopback and _of_this_machine(http.headers, address):
            return
        shown = bearer_of(http.headers.get("authorization", ""))
        own = self._token or ""
        if own and hmac.compare_digest(shown.encode(), own.encode()):
            return
        await self._gatekeeper.caller_of(http.headers, address)


def _of_this_machine(headers: Mapping[str, str], address: str) -> bool:
    """Whether nobody but this machine can have asked: not by a proxy, and by no outer name."""
    try:
        local = ip_address(address).is_loopback
    except ValueError:
        return False
    return (
        local
        and names_loopback(headers.get("host", ""))
        and not any(name in headers for name in _FORWARDED)
    )
