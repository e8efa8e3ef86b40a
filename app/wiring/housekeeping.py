"""What every worker does in the background for all workers' sake."""

from collections.abc import Awaitable, Callable
from typing import Final

from ..core.clock import SystemClock
from ..core.history import HistoryRule
from ..core.tasks import TaskOwner
from ..settings import Settings
from ..store.admin_pruning import AdminPruning
from ..store.database import Database
from ..store.history_pruning import HistoryPruner
from ..store.listing_refresh import ListingRefresher
from ..store.sweeping import Sweeper
from .neighbours import Neighbours

_LAST_LISTING_SECONDS: Final = 1.0
"""How long a stop waits for the lists; what is not written then is found by comparing."""
_LAST_USAGE_SECONDS: Final = 1.0


def keep_house(
    tasks: TaskOwner,
    database: Database,
    settings: Settings,
    others: Neighbours,
    history: HistoryRule,
    *,
    part: int,
) -> Callable[[], Awaitable[None]]:
    """Start it; returns what is to be done at a stop, when the rooms are given up.

    Args:
        tasks: Owner of the tasks.
        database: An open database.
        settings: What was decided.
        others: Has what follows other workers, and counts.
        history: How much history is kept.
        part: Which of the machine's workers this is.
    """
    listing = ListingRefresher(database, part=part)
    pruning = AdminPruning(
        database,
        SystemClock(),
        audit_days=settings.admin_audit_days,
        usage_days=settings.usage_days,
    )
    history_pruner = HistoryPruner(database, history, tally=others.metrics.tally)
    tasks.start(Sweeper(database).run(), name="sweeping")
    tasks.start(history_pruner.run(), name="history-pruning")
    tasks.start(pruning.run(), name="admin-pruning")
    tasks.start(others.purger.run(), name="purging")
    tasks.start(others.log_levels.run(), name="log-levels")
    tasks.start(listing.run(), name="listing")
    tasks.start(listing.run_beside(), name="listing-comparison")
    tasks.start(others.usages.run(), name="usage")
    tasks.start(others.usages.watch(), name="quotas")

    async def finish() -> None:
        await others.usages.finish(seconds=_LAST_USAGE_SECONDS)
        await listing.finish(seconds=_LAST_LISTING_SECONDS)

    return finish
