"""Events, alarms and the life of an object (C, D, L, N). Waits are real, and overlap."""

import asyncio
from typing import Any

from tests.interop.compared.cases import case
from tests.interop.compared.sides import Side

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 30.0
LADDER_MS = (1950, 3950)
"""Two and four seconds, as each side's own clock of milliseconds may read them."""


async def until(side: Side, name: str, key: str, count: int) -> Any:
    """Wait until a list in storage has so many entries."""
    found: Any = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            (found,) = await side.run(name, ["get", key])
            if isinstance(found, list) and len(found) >= count:
                return found
            await asyncio.sleep(POLL_SECONDS)  # noqa: TID251 - both servers live in real time


async def later(seconds: float) -> None:
    await asyncio.sleep(seconds)  # noqa: TID251 - likewise


@case(32)
async def read_modify_write_loses_nothing(side: Side) -> Any:
    for ns in ("scripted", "interleaved"):
        await asyncio.gather(
            *(side.run("s32", ["read_modify_write", "a"], ns=ns) for _ in range(50))
        )
    return [await side.run("s32", ["get", "a"], ns=ns) for ns in ("scripted", "interleaved")]


@case(40, waits=True)
async def a_blocked_object_delays_no_other(side: Side) -> Any:
    async with side.socket("s40-slow") as slow:
        await slow.say('{"steps": [["pause", 1500], ["mark", "done"], ["words"]]}')
        quick = await side.run("s40-quick", ["mark", "quick"], ["words"])
        return [quick, await slow.hear() != ""]


@case(139)
async def there_is_no_alarm_at_first(side: Side) -> Any:
    return await side.run("s139", ["alarm_set"])


@case(140)
async def an_alarm_keeps_its_time(side: Side) -> Any:
    due = 4_102_444_800_000
    return await side.run("s140", ["set_alarm_at", due], ["alarm_is", due], ["delete_alarm"])


@case(141, waits=True)
async def a_second_alarm_replaces_the_first(side: Side) -> Any:
    await side.run("s141", ["set_alarm", 200], ["set_alarm", 400])
    await until(side, "s141", "runs", 1)
    await later(1.0)
    return await side.run("s141", ["get", "runs"], ["alarm_set"])


@case(142, waits=True)
async def an_alarm_is_in_positive_time(side: Side) -> Any:
    answers = await side.run("s142", ["set_alarm_at", 0], ["set_alarm_at", -1], ["set_alarm_at", 1])
    return [answers, len(await until(side, "s142", "runs", 1))]


@case(145, waits=True)
async def an_alarm_that_runs_is_not_set(side: Side) -> Any:
    await side.run("s145", ["set_alarm", 100])
    return await until(side, "s145", "runs", 1)


@case(146, waits=True)
async def an_alarm_that_ran_is_gone(side: Side) -> Any:
    await side.run("s146", ["set_alarm", 100])
    await until(side, "s146", "runs", 1)
    return await side.run("s146", ["alarm_set"])


@case(147, waits=True)
async def an_alarm_says_how_often_it_was_tried(side: Side) -> Any:
    await side.run("s147", ["put", "failures", 1], ["set_alarm", 100])
    return await until(side, "s147", "runs", 2)


@case(148, waits=True)
async def an_alarm_may_set_the_next(side: Side) -> Any:
    await side.run("s148", ["put", "again", 300], ["set_alarm", 100])
    await until(side, "s148", "runs", 2)
    await later(1.0)
    return await side.run("s148", ["get", "runs"], ["alarm_set"])


@case(149, waits=True)
async def a_deleted_alarm_does_not_run(side: Side) -> Any:
    await side.run("s149", ["set_alarm", 6000])
    await side.run("s149", ["delete_alarm"])
    await later(8.0)
    return await side.run("s149", ["get", "runs"], ["alarm_set"])


@case(151, waits=True)
async def a_failed_alarm_is_tried_again_after_two_and_four_seconds(side: Side) -> Any:
    await side.run("s151", ["put", "failures", 2], ["set_alarm", 100])
    first, second, third = await until(side, "s151", "times", 3)
    return [second - first >= LADDER_MS[0], third - second >= LADDER_MS[1]]


@case(213)
async def fields_are_kept_from_call_to_call(side: Side) -> Any:
    await side.run("s213", ["mark", "a"])
    return await side.run("s213", ["mark", "b"], ["words"])


@case(220)
async def an_abort_fails_the_call_and_the_next_starts_afresh(side: Side) -> Any:
    await side.run("s220", ["put", "a", 1], ["mark", "lost"])
    called = await side.run("s220-caller", ["call", "scripted", "s220", [["abort"]]])
    return [called, await side.run("s220", ["words"], ["get", "a"], ["start_count"])]


@case(223)
async def objects_share_no_fields(side: Side) -> Any:
    await side.run("s223-a", ["mark", "a"])
    return await side.run("s223-b", ["words"])
