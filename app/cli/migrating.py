"""What `migrate` does once its settings are read."""

from ..core.clock import SystemClock
from ..core.errors import DatabaseUnreachable
from ..settings import Settings
from ..store.data_directory import DataDirectory
from ..store.embedded import EmbeddedPostgres
from ..store.migration import head_revision, migrate

RETRY_SECONDS = 0.2


async def bring_up(settings: Settings) -> str:
    """Migrate the database of the settings; return the revision that it has now.

    Raises:
        StateroomError: It cannot be done.
    """
    await _migrate(settings)
    return head_revision()


async def _migrate(settings: Settings) -> None:
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        await _migrate_when_it_answers(url, settings.database_connect_seconds)
        return
    with DataDirectory(settings.data_dir) as directory:
        async with EmbeddedPostgres(directory, bin_dir=settings.postgres_bin) as postgres:
            await migrate(postgres.url)


async def _migrate_when_it_answers(url: str, patience_seconds: float) -> None:
    """Migrate a database that may be starting, as beside us in a compose file."""
    clock = SystemClock()
    deadline = clock.monotonic() + patience_seconds
    while True:
        try:
            return await migrate(url)
        except DatabaseUnreachable:
            if clock.monotonic() >= deadline:
                raise
        await clock.sleep(RETRY_SECONDS)
