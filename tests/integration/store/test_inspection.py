"""What `stateroom check` says of a server's settings."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from app.core.errors import DatabaseRefused
from app.store.driver import Pooler
from app.store.inspection import remarks_on
from tests.conftest import MIGRATED
from tests.doubles.pgbouncer import PgBouncer
from tests.integration.command_line import stateroom

ROLE = "inspected_role"


@pytest_asyncio.fixture
async def as_role(
    database_url: str,
) -> AsyncIterator[tuple[str, "asyncpg.Connection[asyncpg.Record]"]]:
    """The URL of a role of the test's own, and a session that may change its settings."""
    session = await asyncpg.connect(database_url)
    await session.execute(f"create role {ROLE} login")
    # The server of the tests is not durable, which is told as well and does not matter here.
    yield database_url.replace("stateroom@", f"{ROLE}@", 1), session
    await session.execute(f"drop role {ROLE}")
    await session.close()


async def test_a_server_that_forgets_at_a_crash_is_told(database_url: str) -> None:
    told = await remarks_on(database_url, pooler=Pooler.NONE)
    assert [remark.split()[0] for remark in told] == ["fsync", "full_page_writes"]


async def test_commits_that_wait_for_no_disk_are_told(
    as_role: tuple[str, "asyncpg.Connection[asyncpg.Record]"],
) -> None:
    url, session = as_role
    assert not any("synchronous" in told for told in await remarks_on(url, pooler=Pooler.NONE))
    await session.execute(f"alter role {ROLE} set synchronous_commit = off")
    told = await remarks_on(url, pooler=Pooler.NONE)
    assert any(remark.startswith("synchronous_commit is off") for remark in told)


@pytest.mark.parametrize(
    ("commit", "expected"),
    [("on", "synchronous_standby_names is empty"), ("remote_apply", "empty")],
)
async def test_several_hosts_without_a_synchronous_standby_are_told(
    as_role: tuple[str, "asyncpg.Connection[asyncpg.Record]"], commit: str, expected: str
) -> None:
    url, session = as_role
    await session.execute(f"alter role {ROLE} set synchronous_commit = {commit}")
    folder = url.partition("host=")[2]
    several = url.replace(f"host={folder}", f"host={folder},{folder}")
    assert any(expected in told for told in await remarks_on(several, pooler=Pooler.NONE))
    assert not any(expected in told for told in await remarks_on(url, pooler=Pooler.NONE))


async def test_what_a_pooler_keeps_a_session_from_is_told_with_the_commands_that_mend_it(
    as_role: tuple[str, "asyncpg.Connection[asyncpg.Record]"],
) -> None:
    url, session = as_role
    assert not any("planned" in told for told in await remarks_on(url, pooler=Pooler.NONE))
    (told,) = (
        remark for remark in await remarks_on(url, pooler=Pooler.TRANSACTION) if "planned" in remark
    )
    assert ROLE in told
    for command in told.partition("run: ")[2].split("; "):
        await session.execute(command)
    assert not any("planned" in again for again in await remarks_on(url, pooler=Pooler.TRANSACTION))


async def test_a_pooler_is_looked_through_and_named_when_nobody_told_of_it(
    database_url: str, pgbouncer: PgBouncer
) -> None:
    assert database_url
    url = pgbouncer.database_url(MIGRATED)
    told = await remarks_on(url, pooler=Pooler.TRANSACTION)
    assert any("force_generic_plan" in remark for remark in told)
    with pytest.raises(DatabaseRefused) as caught:
        await remarks_on(url, pooler=Pooler.NONE)
    assert "STATEROOM_DATABASE_POOLER" in caught.value.remedy


def test_the_command_shows_them_as_notes_and_finds_no_fault(
    tmp_path: Path, pgbouncer: PgBouncer
) -> None:
    ended = stateroom(
        tmp_path,
        "check",
        STATEROOM_PORT="0",
        DATABASE_URL=pgbouncer.database_url(MIGRATED),
        STATEROOM_DATABASE_POOLER="transaction",
    )
    assert ended.status == 0, ended.out
    notes = [line for line in ended.out.splitlines() if line.startswith("note")]
    assert any("alter role stateroom set plan_cache_mode" in line for line in notes), ended.out
