"""Tasks with an owner."""

import asyncio

import pytest

from app.core.tasks import TaskOwner


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


async def _nothing() -> None:
    pass


async def test_a_task_is_held_while_it_runs_and_carries_its_owners_name() -> None:
    owner = TaskOwner("rooms")
    task = owner.start(_forever(), name="sweep")
    assert task.get_name() == "rooms:sweep"
    assert len(owner) == 1
    await owner.close()
    assert task.cancelled()
    assert len(owner) == 0


async def test_a_failure_is_logged_with_its_name_and_hurts_nobody(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    owner = TaskOwner("rooms")
    owner.start(fail(), name="bad")
    await owner.join()
    out = capsys.readouterr().out
    assert "task_failed" in out
    assert "rooms:bad" in out
    assert "ZeroDivisionError" in out


async def test_joining_waits_for_all_also_for_those_started_meanwhile() -> None:
    owner = TaskOwner("rooms")
    ended: list[str] = []

    async def second() -> None:
        ended.append("second")

    async def first() -> None:
        owner.start(second(), name="second")
        ended.append("first")

    owner.start(first(), name="first")
    await owner.join()
    assert ended == ["first", "second"]


async def test_closing_waits_until_what_was_cancelled_has_cleaned_up() -> None:
    cleaned: list[str] = []

    async def careful() -> None:
        try:
            await _forever()
        finally:
            await _nothing()
            cleaned.append("up")

    owner = TaskOwner("rooms")
    owner.start(careful(), name="careful")
    await asyncio.wait([owner.start(_nothing(), name="nothing")])
    await owner.close()
    assert cleaned == ["up"]


async def test_what_is_started_while_it_closes_is_closed_too() -> None:
    owner = TaskOwner("rooms")
    late: list[asyncio.Task[None]] = []

    async def stubborn() -> None:
        try:
            await _forever()
        finally:
            late.append(owner.start(_forever(), name="late"))

    owner.start(stubborn(), name="stubborn")
    await asyncio.wait([owner.start(_nothing(), name="nothing")])
    await owner.close()
    assert late[0].cancelled()
    assert len(owner) == 0


async def test_a_task_may_close_its_own_owner() -> None:
    owner = TaskOwner("rooms")
    other = owner.start(_forever(), name="other")

    async def closing() -> str:
        await owner.close()
        return "closed"

    assert await owner.start(closing(), name="closing") == "closed"
    assert other.cancelled()
