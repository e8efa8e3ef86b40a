"""Named alarms on real Postgres: many of one object, series, dead letters, aborts."""

from typing import Any

from app.sdk import AlarmInfo
from tests.integration.cluster.alarmed import Alarmed, until
from tests.integration.cluster.pair import Pair, quiet

MANY = 150


async def call(pair: Pair, name: str, method: str, *arguments: Any) -> Any:
    stubs = pair.first.stubs
    assert stubs is not None
    return await getattr(stubs.stub("alarmed", name), method)(*arguments)


async def test_many_alarms_of_one_object_take_turns_and_keep_no_other_waiting(pair: Pair) -> None:
    order: list[str] = []
    running = 0

    async def one_at_a_time(lab: Alarmed, info: AlarmInfo) -> None:
        nonlocal running
        order.append(info.name)
        if lab.ctx.id.name != "hog":
            return
        running += 1
        assert running == 1
        await lab.ctx.breathe()
        assert info.payload == {"n": int(info.name)}
        running -= 1

    Alarmed.on_ring = one_at_a_time
    await call(pair, "hog", "set_many", MANY)
    await pair.set(pair.second, "neighbour", in_ms=0)
    await until(pair.no_alarms)
    assert Alarmed.runs == {"hog": MANY, "neighbour": 1}
    assert sorted(order) == sorted(["", *(f"{number}" for number in range(MANY))])
    assert (await pair.ask(pair.first, "hog"))["runs"] == MANY


async def test_a_series_goes_on_over_real_commits_until_its_run_ends_it(pair: Pair) -> None:
    times: list[int] = []

    def end_after_three(lab: Alarmed, info: AlarmInfo) -> None:
        times.append(info.scheduled_for)
        if len(times) == 3:
            lab.ctx.storage.delete_alarm(info.name)

    Alarmed.on_ring = end_after_three
    await call(pair, "a", "repeat", 1.0)
    await until(pair.no_alarms)
    assert len(times) == 3
    assert all((at - times[0]) % 1_000 == 0 for at in times)


async def test_a_dead_letter_is_kept_with_whatever_the_error_said_and_can_be_retried(
    pair: Pair,
) -> None:
    def fail(_lab: Alarmed, _info: AlarmInfo) -> None:
        raise LookupError("zero \0, surrogate \ud800, and so on")

    async def given_up() -> bool:
        rows = await pair.database.fetch("select next_attempt_at from object_alarm")
        return bool(rows) and rows[0]["next_attempt_at"] is None

    Alarmed.on_ring = fail
    await call(pair, "a", "set_many", 1)
    await until(lambda: Alarmed.runs["a"] == 1)
    for _ in range(6):  # the pauses are for others to wait for
        await pair.database.fetch(
            "update object_alarm set next_attempt_at = clock_timestamp(), counted_attempts = 6 "
            "where next_attempt_at is not null"
        )
        await until(lambda: Alarmed.runs["a"] > 1)
        if await given_up():
            break
    await until(given_up)
    ((name, payload, error_class, text),) = await call(pair, "a", "dead")
    assert (name, payload, error_class) == ("0", {"n": 0}, "LookupError")
    assert text == "zero \ufffd, surrogate ?, and so on"
    Alarmed.on_ring = None
    assert await call(pair, "a", "revive", "0")
    await until(pair.no_alarms)
    assert (await pair.ask(pair.first, "a"))["runs"] == 1


async def test_an_abort_in_a_run_that_another_worker_rang_is_noted_by_the_owner(
    pair: Pair,
) -> None:
    def abort(lab: Alarmed, _info: AlarmInfo) -> None:
        lab.ctx.abort("enough", retry_alarm=False)

    Alarmed.on_ring = abort
    await quiet(pair.first)
    await pair.set(pair.first, "a", in_ms=0)
    await until(lambda: Alarmed.runs["a"] == 1)
    await until(pair.no_alarms)
    assert Alarmed.runs == {"a": 1}
    assert await pair.ask(pair.second, "a") == {"alarm": None, "runs": 0}
