"""Forks: copies of objects under other names."""

from collections.abc import AsyncIterator

import pytest

from app.cluster.gathering import MOST_ROWS
from app.core.errors import BookmarkUnknown, NamespaceUnknown, ObjectNotEmpty, ObjectUnknown
from app.core.history import HistoryRule
from app.testing.harness import ObjectHarness
from tests.unit.cluster.backup_sides import CLASSES, Side


@pytest.fixture
async def here() -> AsyncIterator[Side]:
    async with ObjectHarness(CLASSES) as harness:
        yield Side(harness)


async def test_a_fork_is_an_equal_copy_without_alarms_that_may_be_made_again(here: Side) -> None:
    await here.store("a", {"k": 1, "l": b"2"})
    await here.set_alarm("a")
    ids = here.harness.registry.ids
    source, copy = ids.from_name("notes", "a"), ids.from_name("notes", "copy")
    for _ in range(2):
        digest = await here.backups.forker.fork(source, copy)
        assert digest.rows == 2
    assert here.stored("copy") == here.stored("a")
    assert here.harness.database.objects[copy.uuid].alarms == {}
    assert here.harness.database.objects[copy.uuid].commit_seq == 1
    await here.backups.forker.fork(source, ids.from_name("notes", "ringing"), alarms=True)
    assert await here.harness.store.alarm(ids.from_name("notes", "ringing"), "tick") is not None


async def test_a_fork_is_refused_where_something_else_stands_and_of_nothing(here: Side) -> None:
    await here.store("a", {"k": 1})
    await here.store("b", {"k": 2})
    ids = here.harness.registry.ids
    with pytest.raises(ObjectNotEmpty):
        await here.backups.forker.fork(ids.from_name("notes", "a"), ids.from_name("notes", "b"))
    with pytest.raises(ObjectUnknown):
        await here.backups.forker.fork(ids.from_name("notes", "x"), ids.from_name("notes", "y"))
    with pytest.raises(NamespaceUnknown):
        await here.backups.forker.fork(ids.from_name("notes", "a"), ids.from_name("zzz", "y"))
    assert here.harness.contents("notes", "b") == {"k": 2}


async def test_a_large_object_is_forked_in_parts(here: Side) -> None:
    entries = {f"{n:05}": n for n in range(MOST_ROWS + 100)}
    await here.store("large", entries)
    ids = here.harness.registry.ids
    await here.backups.forker.fork(ids.from_name("notes", "large"), ids.from_name("json", "copy"))
    assert here.stored("copy", "json") == here.stored("large")
    assert not here.staging.staged


async def test_a_fork_at_a_bookmark_is_what_the_object_was_then(here: Side) -> None:
    here.harness.database.history = HistoryRule(seconds=3_600, size_bytes=1 << 20)
    before = {f"{number:04}": number for number in range(2_500)}
    await here.store("a", before)
    ids = here.harness.registry.ids
    source = ids.from_name("notes", "a")
    stand = await here.history.stand(source)
    assert stand is not None
    bookmark = stand.bookmark(stand.commit_seq)
    await here.store("a", {"0001": "changed", "more": 1})
    digest = await here.backups.forker.fork_at(source, bookmark, ids.from_name("notes", "then"))
    assert digest.rows == len(before)
    assert here.harness.contents("notes", "then") == before
    with pytest.raises(BookmarkUnknown):
        await here.backups.forker.fork_at(source, "garbled", ids.from_name("notes", "x"))
    with pytest.raises(ObjectUnknown):
        await here.backups.forker.fork_at(ids.unique("notes"), bookmark, source)
