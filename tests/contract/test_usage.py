"""What `core.usage.UsageBook` promises: sums by object and day, and who cost most today."""

from app.core.ids import ObjectId
from app.core.usage import Usage, UsageMeasure, UsedObject
from tests.contract.worlds import World


def named(world: World, name: str) -> ObjectId:
    return world.object_ids.from_name("notes", name)


async def test_what_is_added_twice_is_summed(world: World) -> None:
    room = named(world, "room")
    every = Usage(*range(1, len(Usage._fields) + 1))
    await world.usage.add([UsedObject(room, every)])
    await world.usage.add([UsedObject(room, Usage(events=5))])
    (day,) = await world.usage.days(room, days=3)
    assert day.usage == every.plus(Usage(events=5))


async def test_an_object_that_never_did_anything_has_no_days(world: World) -> None:
    assert await world.usage.days(named(world, "nobody"), days=3) == []


async def test_the_costly_come_first_under_the_names_they_had(world: World) -> None:
    unnamed = world.object_ids.unique("notes")
    await world.usage.add(
        [
            UsedObject(named(world, "a"), Usage(cpu_us=10, events=1)),
            UsedObject(named(world, "b"), Usage(cpu_us=30)),
            UsedObject(unnamed, Usage(cpu_us=20, bytes_out=7)),
        ]
    )
    top = await world.usage.top(UsageMeasure.CPU, limit=2)
    assert [(used.object_id, used.usage.cpu_us) for used in top] == [
        (named(world, "b"), 30),
        (unnamed, 20),
    ]
    assert [used.object_id for used in await world.usage.top(UsageMeasure.BYTES_OUT, limit=9)] == [
        unnamed
    ]
    assert await world.usage.top(UsageMeasure.COMMITS, limit=9) == []


async def test_every_measure_is_one_that_is_counted(world: World) -> None:
    room = named(world, "room")
    await world.usage.add([UsedObject(room, Usage(*[4] * len(Usage._fields)))])
    for measure in UsageMeasure:
        ((found, usage),) = await world.usage.top(measure, limit=1)
        assert found == room
        assert measure.of(usage) == 4
