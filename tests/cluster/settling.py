"""The judgement at the end of a round: everybody has fallen silent, and all must agree.

What Postgres has is read first, and judged as it is: what was acknowledged must be there at once.
That everybody else has the same may take a moment, for what the last writers sent is still on
its way; so that is asked again until it is so, or time is over.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import httpx
from websockets.exceptions import ConnectionClosed

from app.core.clock import SystemClock
from app.core.storage_codec import decode_value
from tests.cluster.alarm_runs import overlaps, runs, waiting
from tests.cluster.callers import VIA, address, client, lines_of, source_of
from tests.cluster.checker import Content, History, Place
from tests.cluster.clients import GONE
from tests.cluster.durable_content import for_a_fresh_client, in_postgres
from tests.cluster.ledger import RELAYED
from tests.cluster.ledger_history import LedgerHistory, Line
from tests.cluster.visitors import Replica, Visitors
from tests.interop.wire_json import Json

AGREEMENT_SECONDS = 40.0
_RETRY_SECONDS = 0.3
_ANSWER_SECONDS = 10.0
_TOLD = 8

_LINES = """
select o.name, r.key, r.value from object o join object_row r using (object_id)
where o.namespace = 'ledger' and o.name = any($1) and r.key like 'line-%' order by r.key
"""


@dataclass(slots=True, kw_only=True)
class Judgement:
    """What is judged, and where it can be read; `alarms` is how many runs there were."""

    history: History
    ledger_history: LedgerHistory
    visitors: Visitors
    database_url: str
    sockets: Sequence[str]
    pages: Sequence[str]
    rooms: Sequence[str]
    ledgers: Sequence[str]
    alarms: int = 0


async def judge(case: Judgement) -> list[str]:
    """Return what is wrong, in words; empty when all is well."""
    found = [
        *_losses(case, await in_postgres(case.database_url, case.rooms), "Postgres"),
        *map(str, case.ledger_history.violations(await _ledgers_in_postgres(case))),
    ]
    clock = SystemClock()
    give_up_at = clock.monotonic() + AGREEMENT_SECONDS
    while disagreements := await _disagreements(case):
        if clock.monotonic() > give_up_at:
            return found + disagreements
        await clock.sleep(_RETRY_SECONDS)
    found += _losses(case, await _fresh(case), "a fresh client")
    final = await _ledgers_in_postgres(case)
    found += await _out_of_nowhere(case, final)
    case.alarms += sum(runs(lines) for lines in final.values())
    overlapping = [f"{name}: {what}" for name in final for what in overlaps(final[name])]
    found += [*overlapping, *map(str, case.ledger_history.violations(final))]
    return list(dict.fromkeys(found))


async def _out_of_nowhere(case: Judgement, final: dict[str, list[Line]]) -> list[str]:
    """What came by way of a ledger whose own line, written before the call left, is not there."""
    names = [source_of(name) for name in case.ledgers]
    lines = await _lines_in_postgres(case.database_url, names)
    sources = {name: {text for _, text in lines[name]} for name in names}
    return [
        f"OUT OF NOWHERE {name}: {text} came by way of {source_of(name)}, which has no line of it"
        for name in case.ledgers
        for _, text in final[name]
        if text.startswith(VIA) and f"{RELAYED}{text}" not in sources[source_of(name)]
    ]


async def _disagreements(case: Judgement) -> list[str]:
    """Who has something else than Postgres has."""
    try:
        replicas = [await _settled(case.visitors, room) for room in case.rooms]
        content = await in_postgres(case.database_url, case.rooms)
        lines = await _ledgers_in_postgres(case)
        others: list[tuple[str, Content]] = [("a fresh client", await _fresh(case))]
        shown = [(page, await _ledgers_at(page, case.ledgers)) for page in case.pages]
    except (*GONE, httpx.HTTPError, TimeoutError) as error:
        return [f"not all could be read: {type(error).__name__} {error}"]
    watched: dict[Place, tuple[Json, str]] = {}
    for replica in replicas:
        watched |= replica.content
    found = [
        difference
        for who, theirs in [*others, ("those who watched", watched)]
        for difference in _differences(who, theirs, content)
    ]
    found += [
        f"{page} shows {len(theirs[name])} lines of {name}, Postgres has {len(lines[name])}"
        for page, theirs in shown
        for name in case.ledgers
        if theirs[name] != lines[name]
    ]
    found += [
        f"NEVER RUN {name}: {len(late)} acknowledged or kept alarms, {late[0]} the first of them"
        for name in case.ledgers
        if (late := waiting(lines[name]))
    ]
    return found


def _differences(who: str, theirs: Content, content: Content) -> list[str]:
    different = [
        place for place in theirs.keys() | content.keys() if theirs.get(place) != content.get(place)
    ]
    return [
        f"NOT THE SAME {place}: {who} has {theirs.get(place)}, Postgres {content.get(place)} "
        f"({len(different)} such places)"
        for place in different[:_TOLD]
    ]


def _losses(case: Judgement, content: Content, reader: str) -> list[str]:
    losses = case.history.losses(content, reader=reader, rooms=case.rooms)
    more = [f"... {len(losses) - _TOLD} more losses"] if len(losses) > _TOLD else []
    return [f"LOST {loss}" for loss in losses[:_TOLD]] + more


async def _settled(visitors: Visitors, room: str) -> Replica:
    """The room's replica, when it has heard all that was said to it."""
    async with asyncio.timeout(_ANSWER_SECONDS):
        while True:
            replica = visitors.replicas[room]
            if replica.full and not replica.over.is_set():
                await replica.settled()
                return replica
            await SystemClock().sleep(_RETRY_SECONDS)


async def _fresh(case: Judgement) -> Content:
    """What a client with nothing in hand is given; it comes back when a link breaks under it."""
    clock = SystemClock()
    give_up_at = clock.monotonic() + AGREEMENT_SECONDS
    while True:
        try:
            return await for_a_fresh_client(case.sockets[0], case.rooms)
        except ConnectionClosed:
            if clock.monotonic() > give_up_at:
                raise
            await clock.sleep(_RETRY_SECONDS)


async def _ledgers_at(page: str, ledgers: Sequence[str]) -> dict[str, list[Line]]:
    async with client() as http:
        answers = [await http.get(f"{address(page, name)}/?after=0") for name in ledgers]
    return {
        name: lines_of(answer.raise_for_status())
        for name, answer in zip(ledgers, answers, strict=True)
    }


async def _ledgers_in_postgres(case: Judgement) -> dict[str, list[Line]]:
    return await _lines_in_postgres(case.database_url, case.ledgers)


async def _lines_in_postgres(database_url: str, ledgers: Sequence[str]) -> dict[str, list[Line]]:
    session = await asyncpg.connect(database_url)
    try:
        rows = await session.fetch(_LINES, list(ledgers))
    finally:
        await session.close()
    found: dict[str, list[Line]] = {name: [] for name in ledgers}
    for row in rows:
        place = int(row["key"].decode().removeprefix("line-"))
        found[row["name"]].append((place, decode_value(row["value"])))
    return found
