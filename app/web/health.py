"""`/livez` says that the process answers; `/readyz` whether it should be given work, and why not.

`/livez` asks nothing of the database: a worker that is cut off from it must not be restarted for
that. `/readyz` looks at the database, the lease, the draining of the worker, and rooms whose
commits do not come. A room whose own code does not end is named there too, and changes nothing: one
bad object must not take its worker from all others.
"""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from ..cluster.membership import Membership
from ..cluster.moving import Duty, Mover
from ..cluster.watchdog import Watchdog
from ..core.errors import StateroomError

_PROBE_SECONDS = 2.0


class HealthEndpoints:
    """See the module.

    Args:
        membership: Whether the worker may speak for its rooms.
        mover: Whether it takes rooms.
        watchdog: Knows the rooms that do not get on.
        ping: Asks the database something small; raises StateroomError when it is away.
    """

    def __init__(
        self,
        membership: Membership,
        mover: Mover,
        watchdog: Watchdog,
        ping: Callable[[], Awaitable[None]],
    ) -> None:
        self._membership = membership
        self._mover = mover
        self._watchdog = watchdog
        self._ping = ping

    async def livez(self, _http: HttpRequest) -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _http: HttpRequest) -> Response:
        """The worker may be given work, or the reasons why not."""
        checks = {
            "database": await self._database(),
            "lease": "ok" if self._membership.holds() else "ended",
            "worker": "ok" if self._mover.duty is Duty.SERVING else self._mover.duty.value,
            "rooms": f"stalled: {stalled}" if (stalled := self._watchdog.stalled) else "ok",
        }
        ready = all(state == "ok" for state in checks.values())
        if stuck := self._watchdog.stuck:
            checks["events"] = f"stuck: {stuck}"
        return JSONResponse(
            {"status": "ready" if ready else "not ready", "checks": checks},
            status_code=200 if ready else 503,
            headers={"cache-control": "no-store"},
        )

    async def _database(self) -> str:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self._ping()
        except (StateroomError, TimeoutError):
            return "unreachable"
        return "ok"
