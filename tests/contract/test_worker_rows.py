"""What `core.worker_rows` and `core.namespace_settings` promise."""

from app.core.ids import WorkerId
from app.core.worker_rows import WorkerState
from tests.contract.worlds import LEASE_SECONDS, World, identity, live_worker


async def state(world: World, worker_id: WorkerId) -> WorkerState | None:
    row = await world.worker_rows.row(worker_id)
    return None if row is None else row.state


async def test_a_worker_is_told_as_it_registered(world: World) -> None:
    who = identity(node="n", slot=3)
    assert await world.worker_rows.row(who.worker_id) is None
    grant = await world.leases.register(who, lease_seconds=LEASE_SECONDS)
    row = await world.worker_rows.row(who.worker_id)
    assert row is not None
    assert (row.identity, row.state) == (who, WorkerState.LIVE)
    assert abs(row.started_ms - grant.database_ms) < 30_000
    assert abs(row.lease_ms - row.started_ms - LEASE_SECONDS * 1000) < 30_000
    assert await world.worker_rows.rows() == [row]


async def test_the_state_of_a_worker_is_what_becomes_of_its_objects(world: World) -> None:
    workers = [await live_worker(world) for _ in range(4)]
    _, draining, retired, expired = workers
    await world.leases.set_draining(draining, draining=True)
    await world.leases.retire(retired)
    await world.expire(expired)
    assert [await state(world, worker_id) for worker_id in workers] == [
        WorkerState.LIVE,
        WorkerState.DRAINING,
        WorkerState.DEAD,
        WorkerState.DEAD,
    ]
    rows = await world.worker_rows.rows()
    assert {row.identity.worker_id for row in rows} == set(workers)
    assert len({row.place for row in rows}) == len(workers)


async def test_a_namespace_keeps_the_level_that_it_was_given_last(world: World) -> None:
    settings = world.namespace_settings
    assert await settings.log_levels() == {}
    for namespace, level in (("notes", "debug"), ("chat", "error"), ("notes", "warning")):
        await settings.set_log_level(namespace, level)
    assert await settings.log_levels() == {"notes": "warning", "chat": "error"}
    await settings.set_log_level("notes", None)
    await settings.set_log_level("never", None)
    assert await settings.log_levels() == {"chat": "error"}
