"""What `core.alarm_lists` promises: what is due next and what was given up, over all objects."""

import pytest

from app.core.alarm_lists import AlarmPosition, ListedAlarm
from app.core.values import Alarm, AlarmFailure
from tests.contract.worlds import World, live_worker
from tests.doubles.batch_source import Lease, Writes, commit

NOW_MS = 1_700_000_000_123
FAILURE = AlarmFailure(error_class="ValueError", error_text="no", at_ms=NOW_MS)


def waiting(due_ms: int, *, next_ms: int | None = None) -> Alarm:
    return Alarm(due_ms=due_ms, next_attempt_ms=due_ms if next_ms is None else next_ms)


def given_up(due_ms: int) -> Alarm:
    return Alarm(due_ms=due_ms, next_attempt_ms=None, counted_attempts=6, failure=FAILURE)


class Shelf:
    """A worker whose objects have alarms."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def fill(self, alarms: dict[tuple[str, str], dict[str, Alarm]]) -> None:
        worker_id = await live_worker(self.world)
        committer = await self.world.committer(worker_id, Lease())
        for (namespace, name), of_one in alarms.items():
            object_id = self.world.object_ids.from_name(namespace, name)
            claim = await self.world.store.claim(object_id, worker_id)
            await commit(committer, Writes(claim), {}, alarms=dict(of_one))


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world)


def told(listed: list[ListedAlarm]) -> list[str]:
    return [f"{each.object_id.name}:{each.name}" for each in listed]


def behind(listed: ListedAlarm) -> AlarmPosition:
    alarm = listed.alarm
    at_ms = alarm.due_ms if alarm.next_attempt_ms is None else alarm.next_attempt_ms
    return AlarmPosition(at_ms, listed.object_id.uuid, listed.name)


async def test_what_is_rung_next_comes_first_whatever_it_was_set_for(shelf: Shelf) -> None:
    lists = shelf.world.alarm_lists
    late = waiting(NOW_MS - 5_000, next_ms=NOW_MS + 9)
    await shelf.fill(
        {
            ("notes", "a"): {"": waiting(NOW_MS + 7), "retried": late, "dead": given_up(NOW_MS)},
            ("rooms", "b"): {"soon": waiting(NOW_MS)},
        }
    )
    found = await lists.due(limit=10)
    assert told(found) == ["b:soon", "a:", "a:retried"]
    assert found[2].alarm == late
    assert [each.object_id.namespace for each in found] == ["rooms", "notes", "notes"]
    assert told(await lists.due(limit=10, until_ms=NOW_MS + 7)) == ["b:soon"]


async def test_what_was_given_up_is_listed_the_last_first(shelf: Shelf) -> None:
    lists = shelf.world.alarm_lists
    await shelf.fill(
        {
            ("notes", "a"): {"one": given_up(NOW_MS), "two": given_up(NOW_MS + 1)},
            ("rooms", "b"): {"three": given_up(NOW_MS + 2), "four": waiting(NOW_MS)},
        }
    )
    found = await lists.dead(limit=10)
    assert told(found) == ["b:three", "a:two", "a:one"]
    assert found[0].alarm == given_up(NOW_MS + 2)
    assert told(await lists.dead(limit=10, namespace="notes")) == ["a:two", "a:one"]


async def test_pages_take_up_where_the_last_one_ended_also_at_one_instant(shelf: Shelf) -> None:
    lists = shelf.world.alarm_lists
    names = ["", "B", "a", "ä", "z"]
    await shelf.fill(
        {
            ("notes", room): {
                **{name: waiting(NOW_MS) for name in names},
                **{f"dead {name}": given_up(NOW_MS) for name in names},
            }
            for room in ("x", "y")
        }
    )
    for which in (lists.due, lists.dead):
        whole = await which(limit=100)
        assert len(whole) == 10
        pages: list[ListedAlarm] = []
        while page := await which(limit=3, after=behind(pages[-1]) if pages else None):
            pages += page
        assert pages == whole
    of_one = told(await lists.due(limit=100))[:5]
    assert [text.partition(":")[2] for text in of_one] == ["", "B", "a", "z", "ä"]
