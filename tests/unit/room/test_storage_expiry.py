"""Rows that expire: absent at once, everywhere, and removed a little later."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.ids import ObjectId
from app.core.limits import PRELOAD_ROWS
from app.core.storage_codec import encode_value
from app.core.tasks import TaskOwner
from app.core.values import KeyRange, Page
from app.room.expiry import GRID_MS
from app.sdk import DurableObject, ObjectFault, Request, Response
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, forget, perform
from tests.unit.room.slow_store import SlowStore

_SECOND = 1000
_tasks = TaskOwner("test")


class Untimed(DurableObject):
    """Has no `on_alarm`, and keeps what it is told for a second."""

    def on_request(self, request: Request) -> Response:
        self.ctx.storage.put("key", "value", expires_at=self.ctx.now() + _SECOND)
        return Response()


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": Lab, "untimed": Untimed}) as made:
        yield made


async def _fill(lab: Lab) -> None:
    """Three keys that expire after a second among three that stay."""
    at = lab.ctx.now() + _SECOND
    lab.storage.put_many(dict.fromkeys(("b", "d", "f"), "old"), expires_at=at)
    lab.storage.put_many(dict.fromkeys(("a", "c", "e"), "old"))


async def _everything(lab: Lab) -> list[Any]:
    storage = lab.storage
    return [
        [await storage.get(key) for key in "abc"],
        list(await storage.get_many("abcdef".__iter__())),
        list(await storage.list()),
        list(await storage.list(start="a", limit=2)),
        list(await storage.list(start="a", limit=2, reverse=True)),
        list(await storage.list(prefix="b")),
        [key async for key, _ in storage.stream()],
    ]


_BEFORE = [["old"] * 3, list("abcdef"), list("abcdef"), ["a", "b"], ["f", "e"], ["b"]]
_AFTER = [["old", None, "old"], list("ace"), list("ace"), ["a", "c"], ["e", "c"], []]


@pytest.mark.parametrize("where", ["in the unit", "cached", "loaded", "in the database"])
async def test_a_row_is_absent_from_its_time_on_wherever_it_lies(
    harness: ObjectHarness, where: str
) -> None:
    async def at_once(lab: Lab) -> Any:
        await _fill(lab)
        before = await _everything(lab)
        harness.clock.advance(1)
        return before, await _everything(lab)

    if where == "in the unit":
        before, after = await perform(harness, at_once)
    else:
        await perform(harness, _fill)
        if where == "in the database":
            await perform(harness, _more_than_is_loaded)
        if where != "cached":
            await forget(harness)
        before = await perform(harness, _everything)
        harness.clock.advance(1)
        after = await perform(harness, _everything)
    assert _without_filler(before) == [*_BEFORE, list("abcdef")]
    assert _without_filler(after) == [*_AFTER, list("ace")]


def _more_than_is_loaded(lab: Lab) -> None:
    lab.storage.put_many({f"\x00{number:03}": 0 for number in range(PRELOAD_ROWS + 1)})


def _without_filler(found: list[Any]) -> list[Any]:
    return [[key for key in keys if key is None or key[0] != "\x00"] for keys in found]


async def test_one_millisecond_before_its_time_the_row_is_there(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> list[Any]:
        lab.storage.put("key", "value", expires_at=lab.ctx.now() + 1)
        before = await lab.storage.get("key")
        harness.clock.advance(0.001)
        return [before, await lab.storage.get("key")]

    assert await perform(harness, step) == ["value", None]


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_limited_list_asks_seldom_however_many_rows_are_over(
    harness: ObjectHarness, monkeypatch: pytest.MonkeyPatch, *, reverse: bool
) -> None:
    def fill(lab: Lab) -> None:
        at = lab.ctx.now() + _SECOND
        for start in range(0, 2_000, 100):
            keys = [f"k{number:04}" for number in range(start, start + 100)]
            lab.storage.put_many(dict.fromkeys(keys, 0), expires_at=at)
        lab.storage.put_many({"a": 1, "b": 2, "x": 3, "y": 4})

    await perform(harness, fill)
    await forget(harness)
    harness.clock.advance(1)
    asked: list[KeyRange] = []
    scan = harness.store.scan

    async def counted(object_id: ObjectId, wanted: KeyRange) -> Page:
        asked.append(wanted)
        return await scan(object_id, wanted)

    monkeypatch.setattr(harness.store, "scan", counted)

    async def read(lab: Lab) -> list[str]:
        return list(await lab.storage.list(limit=3, reverse=reverse))

    assert await perform(harness, read) == (["y", "x", "b"] if reverse else ["a", "b", "x"])
    assert len(asked) < 12


@pytest.mark.parametrize("awake", [True, False])
async def test_what_has_expired_did_not_exist_when_it_is_deleted(
    harness: ObjectHarness, awake: bool
) -> None:
    async def delete(lab: Lab) -> list[Any]:
        return [await lab.storage.delete("b"), await lab.storage.delete_many(["c", "d"])]

    await perform(harness, _fill)
    harness.clock.advance(1)
    if not awake:
        await forget(harness)
    assert await perform(harness, delete) == [False, 1]


async def test_an_overwrite_without_an_expiry_stays(harness: ObjectHarness) -> None:
    def step(lab: Lab) -> None:
        lab.storage.put("key", 1, expires_at=lab.ctx.now() + 1)
        lab.storage.put("key", 2)

    await perform(harness, step)
    await harness.advance(GRID_MS / 1000 + 1)
    assert harness.contents("lab", "a") == {"key": 2}


async def test_times_are_datetimes_or_milliseconds(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        now = datetime.fromtimestamp(lab.ctx.now() / 1000, UTC)
        lab.storage.put("later", 1, expires_at=now + timedelta(seconds=1))
        lab.storage.put("past", 1, expires_at=now - timedelta(days=1))
        with pytest.raises(ValueError, match="naive"):
            lab.storage.put("naive", 1, expires_at=now.replace(tzinfo=None))
        with pytest.raises(TypeError):
            lab.storage.put("float", 1, expires_at=1.5)  # type: ignore[arg-type]  # the point
        return await lab.storage.list()

    assert await perform(harness, step) == {"later": 1}


async def test_an_event_or_a_transaction_that_fails_leaves_no_expiry(
    harness: ObjectHarness,
) -> None:
    async def in_transaction(lab: Lab) -> None:
        async with lab.storage.transaction() as transaction:
            transaction.put("key", "short", expires_at=lab.ctx.now() + 1)
            transaction.rollback()

    def and_raises(lab: Lab) -> None:
        lab.storage.put("key", "short", expires_at=lab.ctx.now() + 1)
        raise RuntimeError

    await perform(harness, lambda lab: lab.storage.put("key", "long"))
    await perform(harness, in_transaction)
    with pytest.raises(ObjectFault):
        await perform(harness, and_raises)
    await harness.advance(GRID_MS / 1000 + 1)
    assert harness.contents("lab", "a") == {"key": "long"}


# -- removal -----------------------------------------------------------------------------------


async def test_the_row_of_an_object_that_sleeps_is_removed(harness: ObjectHarness) -> None:
    await perform(harness, _fill)
    await forget(harness)
    await harness.advance(1 + GRID_MS / 1000)
    assert harness.stored("lab", "a").keys() == {b"a", b"c", b"e"}
    assert not harness.database.objects[harness.object_id("lab", "a").uuid].alarms


async def test_a_class_without_on_alarm_may_let_rows_expire(harness: ObjectHarness) -> None:
    await harness.request("untimed", "a", Request())
    await harness.advance(1 + GRID_MS / 1000)
    assert harness.stored("untimed", "a") == {}


async def test_one_ring_removes_what_has_expired_and_waits_for_what_has_not(
    harness: ObjectHarness,
) -> None:
    def step(lab: Lab) -> None:
        now = lab.ctx.now()
        for seconds in (1, 2, 3, 2_000):
            lab.storage.put(f"{seconds:04}", 0, expires_at=now + seconds * _SECOND)

    await perform(harness, step)
    commits = len(harness.committer.committed)
    await harness.advance(3 + 2 * GRID_MS / 1000)
    assert harness.stored("lab", "a").keys() == {b"2000"}
    assert len(harness.committer.committed) - commits <= 2
    await harness.advance(2_000 + GRID_MS / 1000)
    assert harness.stored("lab", "a") == {}


async def test_many_puts_set_the_alarm_once(harness: ObjectHarness) -> None:
    def step(lab: Lab) -> None:
        at = lab.ctx.now() + 60 * _SECOND
        lab.storage.put(str(at), 0, expires_at=at)

    for _ in range(5):
        await perform(harness, step)
        harness.clock.advance(0.1)
    changes = [batch.alarms for batch in harness.committer.committed if batch.alarms]
    assert len(changes) <= 2, "it stands on a grid of some minutes"


async def test_authors_see_nothing_of_that_alarm(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("key", 0, expires_at=lab.ctx.now() + 1)
        return await lab.storage.get_alarm()

    assert await perform(harness, step) is None
    assert harness.alarm("lab", "a") is None


async def test_very_many_rows_are_removed_by_several_rings(harness: ObjectHarness) -> None:
    def fill(lab: Lab) -> None:
        at = lab.ctx.now() + _SECOND
        for number in range(4_500):
            lab.storage.put(f"{number:04}", 0, expires_at=at)

    await perform(harness, fill)
    await harness.advance(2 + GRID_MS / 1000)
    assert harness.stored("lab", "a") == {}
    sizes = [len(batch.entries) for batch in harness.committer.committed[1:]]
    assert sizes == [2_000, 2_000, 500]


async def test_what_is_put_anew_while_rows_are_removed_stays(harness: ObjectHarness) -> None:
    """The row is put while the database tells what has expired, and its commit is on its way."""
    slow = SlowStore(harness.store)

    await perform(harness, _fill)
    await forget(harness)
    with slow.used():
        waking = _tasks.start(harness.advance(2 + GRID_MS / 1000), name="time")
        await slow.asked(1)
        room = await harness.room("lab", "a")
        room.lane.buffer.top.set(b"b", encode_value("anew"))
        room.lane.seal(())
        slow.answer()
        await waking
    assert harness.stored("lab", "a").keys() == {b"a", b"b", b"c", b"e"}
    assert harness.contents("lab", "a")["b"] == "anew"
