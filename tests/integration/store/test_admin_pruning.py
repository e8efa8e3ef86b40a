"""What the admin plane forgets in the background, and what it keeps."""

from uuid import uuid4

from app.core.audit import AuditFilter
from app.core.repeats import Claim
from app.store.admin_pruning import AdminPruning
from app.store.audit import PAGE, PRUNE, PostgresAuditTrail
from app.store.database import Database
from app.store.repeats import PostgresRepeats
from app.testing.clock import FakeClock

ROWS = 700
_OLD = """
insert into admin_audit (audit_id, at, caller, role, operation, path, code)
select ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid,
       clock_timestamp() - make_interval(days => case when n <= $1 then 91 else 89 end),
       'ci', 'admin', 'put', '/x', ''
from generate_series(1, $1 + 1) n
"""
_OLD_KEYS = """
insert into admin_request (caller, key, fingerprint, request_id, started_at)
values ('ci', 'old', '', gen_random_uuid(), clock_timestamp() - interval '25 hours'),
       ('ci', 'young', '', gen_random_uuid(), clock_timestamp() - interval '23 hours')
"""


async def test_old_records_and_keys_go_step_by_step_and_young_ones_stay(
    database: Database,
) -> None:
    await database.fetch(_OLD, ROWS)
    await database.fetch(_OLD_KEYS)
    pruning = AdminPruning(database, FakeClock(), audit_days=90, usage_days=7)
    assert await pruning.step() is True
    assert await pruning.step() is False
    trail, repeats = PostgresAuditTrail(database), PostgresRepeats(database)
    (left,) = await trail.page(AuditFilter(), after=None, limit=9)
    assert left.intent.audit_id.int % 0x1000 == int(str(ROWS + 1), 16)
    for key, known in (("old", False), ("young", True)):
        claim = Claim(caller="ci", key=key, fingerprint=b"", request_id=uuid4())
        assert (await repeats.claim(claim) is not None) is known


async def test_a_page_and_a_step_of_pruning_walk_the_one_index(database: Database) -> None:
    """Whatever the size of the table: the newest page and the oldest step are its two ends."""
    await database.fetch(_OLD, 60_000)
    await database.fetch("analyze admin_audit")
    nothing = [None] * 7
    for statement, arguments in ((PAGE, [*nothing, 101]), (PRUNE, [86_400.0, 500])):
        plan = await database.fetch(f"explain {statement}", *arguments)
        text = "\n".join(row[0] for row in plan)
        assert "admin_audit_pkey" in text, text
        assert "Seq Scan" not in text, text
