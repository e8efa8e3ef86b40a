"""What the admin plane keeps for a while only: the audit's records, idempotency keys, usage.

Every worker takes its turn now and then, in short statements that touch the oldest rows.
"""

from typing import Final

import structlog

from ..core.clock import Clock
from ..core.errors import StateroomError
from .audit import PostgresAuditTrail
from .database import Database
from .repeats import PostgresRepeats
from .usage import PostgresUsageBook

KEY_SECONDS: Final = 86_400.0
"""How long an Idempotency-Key is known."""

_EVERY_SECONDS: Final = 600.0
_STEP_SECONDS: Final = 1.0
_STEP_ROWS: Final = 500

_log = structlog.get_logger(__name__)


class AdminPruning:
    """See the module. Cancelling is safe at any time.

    Args:
        database: An open database.
        clock: For the pauses.
        audit_days: How long the audit's records are kept.
        usage_days: How long it is known what objects cost.
    """

    def __init__(
        self, database: Database, clock: Clock, *, audit_days: float, usage_days: int
    ) -> None:
        self._usage = PostgresUsageBook(database)
        self._usage_days = usage_days
        self._trail = PostgresAuditTrail(database)
        self._repeats = PostgresRepeats(database)
        self._clock = clock
        self._audit_days = audit_days

    async def run(self) -> None:
        """Prune for ever; an absence of the database is waited out."""
        while True:
            await self._clock.sleep(await self._pause())

    async def step(self) -> bool:
        """Remove some of what is old; returns whether there may be more.

        Raises:
            StoreUnavailable: The database is away.
        """
        records = await self._trail.prune(days=self._audit_days, limit=_STEP_ROWS)
        keys = await self._repeats.prune(seconds=KEY_SECONDS, limit=_STEP_ROWS)
        days = await self._usage.prune(days=self._usage_days, limit=_STEP_ROWS)
        return max(records, keys, days) == _STEP_ROWS

    async def _pause(self) -> float:
        try:
            return _STEP_SECONDS if await self.step() else _EVERY_SECONDS
        except StateroomError as error:
            _log.warning("admin_pruning_failed", code=error.code)
            return _EVERY_SECONDS
