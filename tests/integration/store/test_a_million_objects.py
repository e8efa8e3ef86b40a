"""Lists of a million objects are read in the time of a few index reads, whatever is asked.

Not timed: the plans are looked at, as made for these very values and as made for any, and how
many pages each question touches.
"""

import asyncio
from collections.abc import AsyncIterator
from itertools import product
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from app.core.codec import parse_json
from app.core.ids import WorkerId
from app.core.listing import ListingFilter, ListingPosition, ListingRequest, SortBy
from app.store.database import Database
from app.store.driver import ConnectTarget
from app.store.listing import PostgresObjectListing
from app.store.listing_pages import FEW
from app.store.listing_statements import MISSED, REFRESH, STRAY
from app.store.migration import migrate
from tests.conftest import PostgresServer

OBJECTS: Final = 1_000_000
HOLDER: Final = UUID(int=1)
BUSY: Final = UUID(int=2)
DEAD: Final = UUID(int=3)

# Three namespaces; sizes, times and names spread; some held, a few by somebody dead; two tags, of
# which one is rare.
FILL: Final = f"""
insert into worker (worker_id, node, slot, boot_id, address, state, lease_expires_at, version)
select ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'n' || n, 0, '', '',
       case n when 3 then 'dead' else 'live' end, now() + interval '1 day', ''
from generate_series(1, 3) n;
create unlogged table filled as
select md5(n::text)::uuid as object_id,
       case when n % 100 = 0 then 'rare' when n % 10 = 0 then 'few' else 'notes' end as namespace,
       'team-' || n % 1000 || '/doc-' || n as name, n,
       case when n % 500 = 0 then '{HOLDER}'::uuid when n % 20 = 1 then '{BUSY}'::uuid
            when n % 3000 = 7 then '{DEAD}'::uuid end as worker_id
from generate_series(1, {OBJECTS}) n order by 1;
insert into object (object_id, namespace, name, worker_id, epoch, commit_seq, committed_at)
select object_id, namespace, name, worker_id, n, 1, to_timestamp(1.7e9 + n) from filled;
insert into object_listing (
    object_id, namespace, name, worker_id, epoch, commit_seq, committed_ms, size_bytes, row_count,
    sized_seq, sized_at
)
select object_id, namespace, name, worker_id, n, 1, (1700000000 + n)::int8 * 1000,
       n % 99991 * 7, 3, 1, now()
from filled;
insert into object_tag select object_id, 'often', namespace from filled where n % 31 = 0;
insert into object_tag select object_id, 'seldom', namespace from filled where n % 19999 = 0;
insert into namespace_total select namespace, 0, count(*), 0, 0 from filled group by namespace;
drop table filled;
"""  # noqa: S608 - no value in it

INDEXES: Final = """
select indexname, indexdef from pg_indexes
where tablename in ('object_listing', 'object_tag') and indexname not like '%_pkey'
"""

BIG: Final = {"object", "object_listing", "object_tag", "object_row"}

WHERE: Final = {
    "everything": ListingFilter(namespaces=["notes"]),
    "all namespaces": ListingFilter(),
    "a long prefix": ListingFilter(namespaces=["notes"], prefix="team-77/doc-5"),
    "a short prefix": ListingFilter(namespaces=["notes"], prefix="team-7"),
    "a prefix in all namespaces": ListingFilter(prefix="team-123/"),
    "an owner of few": ListingFilter(owner=WorkerId(HOLDER)),
    "an owner of many": ListingFilter(namespaces=["notes"], owner=WorkerId(BUSY)),
    "live": ListingFilter(namespaces=["notes"], live=True),
    "not live": ListingFilter(live=False),
    "large": ListingFilter(min_bytes=699_000),
    "small": ListingFilter(namespaces=["notes"], min_bytes=1_000, max_bytes=400_000),
    "lately": ListingFilter(committed_after_ms=(1_700_000_000 + OBJECTS - 500) * 1000),
    "long ago": ListingFilter(committed_before_ms=1_700_900_000_000),
    "a tag of many": ListingFilter(namespaces=["notes"], tag="often"),
    "a tag of few": ListingFilter(tag="seldom"),
    "a tag of none": ListingFilter(tag="never"),
    "all at once": ListingFilter(
        namespaces=["notes"], prefix="team-", live=True, min_bytes=100, max_bytes=600_000,
        committed_after_ms=1_700_000_000_000, tag="often",
    ),
}  # fmt: skip


class Observed:
    """A database that shows how each statement is run, in both kinds of plan."""

    def __init__(self, database: Database, session: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.object_ids = database.object_ids
        self.plans: list[dict[str, Any]] = []
        self._database = database
        self._session = session

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        for mode in ("force_generic_plan", "force_custom_plan"):
            await self._session.execute(f"set plan_cache_mode = {mode}")
            await self._session.execute(f"prepare question as {sql}")
            arguments = ", ".join(literal(value) for value in values)
            asked = f"execute question({arguments})" if values else "execute question"
            shown = await self._session.fetchval(
                f"explain (analyze, buffers, timing off, format json) {asked}"
            )
            await self._session.execute("deallocate question")
            self.plans.append(parse_json(shown)[0]["Plan"])
        return await self._database.fetch(sql, *values)


def literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"'{{{','.join('null' if each is None else str(each) for each in value)}}}'"
    if isinstance(value, tuple):
        return f"'({value[0]},{value[1]})'"
    return str(value) if isinstance(value, int) else f"'{value}'"


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(each for child in plan.get("Plans", ()) for each in nodes(child))]


def check(plan: dict[str, Any], *, most_pages: int) -> None:
    """No table is read from end to end, and nothing big is read or sorted."""
    for node in nodes(plan):
        assert node["Node Type"] != "Seq Scan" or node["Relation Name"] not in BIG, node
        assert node["Actual Rows"] * node["Actual Loops"] <= 4 * FEW, node
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert pages <= most_pages, (pages, most_pages)


@pytest.fixture(scope="module")
def million(postgres_server: PostgresServer) -> str:
    """The URL of a database with a million objects."""
    url = postgres_server.database_url("million")
    asyncio.run(_fill(postgres_server.url, url))
    return url


async def _fill(server: str, url: str) -> None:
    session = await asyncpg.connect(server)
    await session.execute("create database million template template0")
    await session.close()
    await migrate(url)
    session = await asyncpg.connect(url)
    try:
        indexes = await session.fetch(INDEXES)
        for table in ("object", "object_listing", "object_tag"):
            # The plans must not depend on when a vacuum happens to come.
            await session.execute(f"alter table {table} set (autovacuum_enabled = off)")
        for row in indexes:
            await session.execute(f"drop index {row['indexname']}")
        await session.execute("set maintenance_work_mem = '256MB'; set work_mem = '256MB'")
        await session.execute(FILL)
        for row in indexes:
            await session.execute(row["indexdef"])
        await session.execute("analyze object_listing, object, object_tag, worker")
    finally:
        await session.close()


@pytest_asyncio.fixture
async def observed(million: str) -> AsyncIterator[Observed]:
    database = await Database.open(ConnectTarget.from_url(million))
    session = await asyncpg.connect(million)
    try:
        yield Observed(database, session)
    finally:
        await session.close()
        await database.close()


MIDDLE: Final = {
    SortBy.NAME: ListingPosition("team-500/doc-500", UUID(int=7)),
    SortBy.SIZE: ListingPosition(350_000, UUID(int=7)),
    SortBy.LAST_COMMIT: ListingPosition(1_700_500_000_000, UUID(int=7)),
}
PLAIN: Final = ("everything", "all namespaces")
ORDERS: Final = tuple(product(SortBy, (False, True), (False, True)))


@pytest.mark.timeout(400)  # a million rows on a busy machine
async def test_lists_of_a_million_objects_and_what_follows_them_read_small_parts(
    observed: Observed,
) -> None:
    """One test, so that the million is made once whichever processes run the tests."""
    for name in WHERE:
        await a_question_reads_parts_of_indexes_in_every_order(observed, name)
    await a_search_that_fits_few_finds_them_at_once(observed)
    await counts_of_everything_are_bounded(observed)
    await following_the_objects_reads_parts_of_tables(observed)


async def a_question_reads_parts_of_indexes_in_every_order(observed: Observed, name: str) -> None:
    """From the beginning and from the middle, forwards and backwards."""
    observed.plans.clear()
    listing = PostgresObjectListing(cast("Database", observed))
    for sort, descending, onwards in ORDERS:
        request = ListingRequest(
            where=WHERE[name],
            sort=sort,
            descending=descending,
            after=MIDDLE[sort] if onwards else None,
        )
        await listing.page(request)
    for plan in observed.plans:
        check(plan, most_pages=1_500 if name in PLAIN else 40_000)


async def a_search_that_fits_few_finds_them_at_once(observed: Observed) -> None:
    listing = PostgresObjectListing(cast("Database", observed))
    tagged = sum(n % 10 > 0 for n in range(19_999, OBJECTS + 1, 19_999))
    small = sum(
        n % 1000 == 77 and str(n)[0] == "5" and n % 99_991 * 7 <= 400_000  # as `FILL` has it
        for n in range(77, OBJECTS, 1000)
    )
    for where, count in (
        (ListingFilter(tag="seldom", namespaces=["notes"]), tagged),
        (ListingFilter(prefix="team-77/doc-5", max_bytes=400_000), small),
        (ListingFilter(namespaces=["notes"], owner=WorkerId(BUSY), prefix="team-101/"), 1_000),
    ):
        page = await listing.page(ListingRequest(where=where, sort=SortBy.SIZE, limit=1_000))
        assert (len(page.objects), page.after) == (count, None)


async def counts_of_everything_are_bounded(observed: Observed) -> None:
    observed.plans.clear()
    listing = PostgresObjectListing(cast("Database", observed))
    figures = await listing.figures()
    assert figures.objects_live == (10_000, False)
    assert sum(totals.objects for totals in await listing.totals()) == OBJECTS
    for plan in observed.plans:
        check(plan, most_pages=40_000)


async def following_the_objects_reads_parts_of_tables(observed: Observed) -> None:
    ids = [row["object_id"] for row in await observed.fetch(SOME)]
    observed.plans.clear()
    nothing = [None] * len(ids)
    await observed.fetch(REFRESH, ids, nothing, nothing, nothing, 0)
    for statement in (MISSED, STRAY):
        await observed.fetch(statement, (4_000, 0), (4_128, 0), 500)
    for plan in observed.plans:
        check(plan, most_pages=60_000)


SOME: Final = "select object_id from object_listing where namespace = 'few' order by name limit 500"
