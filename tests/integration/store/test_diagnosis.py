"""What `stateroom doctor` finds out about a real Postgres, with and without a real pooler."""

from pathlib import Path

import pytest

from app.core.clock import SystemClock, wall_seconds
from app.store.diagnosis import PoolMode, diagnose
from tests.conftest import MIGRATED, PostgresServer
from tests.doubles.pgbouncer import PgBouncer


async def test_a_server_is_described(database_url: str) -> None:
    found = await diagnose(database_url, SystemClock())
    assert found.pool_mode is PoolMode.NONE
    assert (found.standby, found.encrypted, found.near) == (False, False, True)
    assert 15 <= found.major <= 18
    assert found.version.startswith(str(found.major))
    assert found.settings["server_encoding"] == "UTF8"
    assert found.settings["max_connections"] == "300"


async def test_the_difference_of_clocks_is_measured(database_url: str) -> None:
    right = await diagnose(database_url, SystemClock())
    assert abs(right.clock_ahead_seconds) <= right.clock_unsure_seconds + 0.5
    behind = await diagnose(database_url, SystemClock(), wall=lambda: wall_seconds() - 3600)
    assert abs(behind.clock_ahead_seconds - 3600) <= behind.clock_unsure_seconds + 0.5


async def test_a_pooler_in_transaction_mode_is_found(pgbouncer: PgBouncer) -> None:
    found = await diagnose(pgbouncer.database_url(MIGRATED), SystemClock())
    assert found.pool_mode is PoolMode.TRANSACTION


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("transaction", PoolMode.TRANSACTION), ("session", PoolMode.SESSION)],
)
async def test_a_pooler_that_hands_out_the_last_server_again_is_told_by_its_mode(
    mode: str,
    expected: PoolMode,
    pgbouncer: PgBouncer,
    postgres_server: PostgresServer,
    open_folder: Path,
) -> None:
    del pgbouncer  # without the program neither runs
    pooler = PgBouncer(postgres_server.url, open_folder / f"lazy-{mode}", mode=mode, in_turn=False)
    pooler.start()
    try:
        found = await diagnose(pooler.database_url(MIGRATED), SystemClock())
    finally:
        pooler.stop()
    assert found.pool_mode is expected
