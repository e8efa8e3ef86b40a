"""What a worker has asked may arrive again when it has long gone on: sockets and poolers keep it.

No late copy may speak for a later life of the worker.
"""

from typing import Any

import pytest

from app.core.errors import StorageRefused
from app.store.leases import PostgresWorkerLeases
from app.store.pool import ConnectionPool
from tests.contract.worlds import identity
from tests.integration.store.conftest import Site


class Recorder:
    """Passes statements on and remembers them."""

    def __init__(self, connection: ConnectionPool) -> None:
        self._connection = connection
        self.statements: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        self.statements.append((sql, arguments))
        return await self._connection.fetch(sql, *arguments)


@pytest.fixture
def recorder(site: Site, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    leases = site.leases
    assert isinstance(leases, PostgresWorkerLeases)
    recorder = Recorder(leases._connection)
    monkeypatch.setattr(leases, "_connection", recorder)
    return recorder


async def test_a_late_copy_of_a_burial_does_not_find_the_next_life(
    site: Site, recorder: Recorder
) -> None:
    former, next_life = identity(node="here"), identity(node="here")
    await site.leases.register(former, lease_seconds=60)
    recorder.statements.clear()
    assert await site.leases.bury(node="here", slot=0, boot_id=former.boot_id) == 1
    burial = list(recorder.statements)
    await site.leases.register(next_life, lease_seconds=60)
    for sql, arguments in burial:
        await site.database.fetch(sql, *arguments)
    assert await site.leases.renew(next_life.worker_id, lease_seconds=60) is not None


async def test_a_late_copy_of_a_registration_does_not_revive_a_lease_that_ran_out(
    site: Site, recorder: Recorder
) -> None:
    who = identity()
    await site.leases.register(who, lease_seconds=60)
    sql, arguments = recorder.statements[-1]
    assert await site.database.fetch(sql, *arguments), "a copy in time finds the own row"
    await site.database.fetch(
        "update worker set lease_expires_at = clock_timestamp() where worker_id = $1",
        who.worker_id,
    )
    assert not await site.database.fetch(sql, *arguments)
    assert await site.leases.renew(who.worker_id, lease_seconds=60) is None


async def test_a_late_copy_of_a_registration_does_not_revive_a_dead_life(
    site: Site, recorder: Recorder
) -> None:
    who = identity()
    await site.leases.register(who, lease_seconds=60)
    sql, arguments = recorder.statements[-1]
    await site.leases.retire(who.worker_id)
    with pytest.raises(StorageRefused):
        await site.database.fetch(sql, *arguments)
    assert await site.leases.renew(who.worker_id, lease_seconds=60) is None
