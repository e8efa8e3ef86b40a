"""Export, import and fork on one worker in memory: whole objects, live ones, and damage."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.cluster.gathering import MOST_ROWS
from app.core.backup_lines import RowLine, parse_line, row_line
from app.core.codec import parse_json
from app.core.errors import BackupUnreadable, ObjectUnknown
from app.core.storage_codec import encode_value
from app.core.values import CommitResult
from app.testing.harness import ObjectHarness
from app.testing.memory_object_states import MemoryObjectStates
from tests.unit.cluster.backup_sides import (
    CLASSES,
    DRY_RUN,
    IF_EMPTY,
    MERGE,
    REPLACE,
    Notebook,
    Side,
    fates,
    stream_of,
    summary,
)
from tests.unit.cluster.calling import start


@pytest.fixture
async def here() -> AsyncIterator[Side]:
    async with ObjectHarness(CLASSES) as harness:
        yield Side(harness)


@pytest.fixture
async def there() -> AsyncIterator[Side]:
    async with ObjectHarness(CLASSES) as harness:
        yield Side(harness)


async def test_what_is_exported_and_imported_is_equal_and_wakes_nothing(
    here: Side, there: Side
) -> None:
    for number in range(230):
        await here.store(f"room {number}", {"n": number, "bytes": b"\x00" * number})
    await here.set_alarm("room 7")
    export = await here.export()
    Notebook.starts = 0
    told = await there.take(export)
    assert summary(told) == {
        "kind": "summary",
        "complete": True,
        "dry_run": False,
        "imported": 230,
        "skipped": 0,
        "refused": 0,
        "rows": 460,
        "size_bytes": summary(told)["size_bytes"],
    }
    assert Notebook.starts == 0
    assert there.stored("room 7") == here.stored("room 7")
    again = await there.export()
    assert bodies(again) == bodies(export)
    assert there.harness.database.objects.keys() == here.harness.database.objects.keys()


def bodies(export: bytes) -> list[bytes]:
    """The rows and alarms of an export, and the digests of what objects store."""
    lines = [line for line in export.splitlines() if not line.startswith(b'{"object"')][1:-1]
    return [line.partition(b',"lines_sha256"')[0] for line in lines]


async def test_a_second_import_skips_what_is_equal_and_refuses_what_is_not(
    here: Side, there: Side
) -> None:
    for name in ("a", "b", "c"):
        await here.store(name, {"k": name})
    export = await here.export()
    await there.store("b", {"k": "other"})
    assert fates(await there.take(export)) == {
        "a": "imported",
        "b": "object_not_empty",
        "c": "imported",
    }
    assert fates(await there.take(export)) == {
        "a": "skipped",
        "b": "object_not_empty",
        "c": "skipped",
    }
    assert there.harness.contents("notes", "b") == {"k": "other"}


async def test_replace_leaves_nothing_of_before_and_merge_leaves_other_rows(
    here: Side, there: Side
) -> None:
    await here.store("a", {"k": "new", "n": 1})
    export = await here.export()
    for mode, left in ((MERGE, {"old": 1}), (REPLACE, {})):
        await there.store("a", {"k": "old", "old": 1})
        assert fates(await there.take(export, mode)) == {"a": "imported"}
        assert there.harness.contents("notes", "a") == {"k": "new", "n": 1, **left}


async def test_a_class_with_content_is_not_merged_row_by_row(here: Side, there: Side) -> None:
    await here.store("a", {"k": 1}, namespace="json")
    export = await here.export()
    assert fates(await there.take(export, MERGE)) == {"a": "unsupported"}
    assert fates(await there.take(export, REPLACE)) == {"a": "imported"}


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(here: Side, there: Side) -> None:
    await here.store("a", {"k": 1})
    await here.store("b", {"k": 1})
    await here.store("large", {f"{n:05}": n for n in range(MOST_ROWS + 100)})
    await there.store("b", {"k": 2})
    export = await here.export()
    told = await there.take(export, DRY_RUN)
    assert fates(told) == {"a": "imported", "b": "object_not_empty", "large": "imported"}
    assert summary(told)["dry_run"]
    assert set(there.harness.list_rooms("notes")) == {there.harness.object_id("notes", "b")}


async def test_a_large_object_is_staged_and_moved_in_whole(here: Side, there: Side) -> None:
    entries = {f"{n:05}": n for n in range(MOST_ROWS * 2 + 100)}
    await here.store("large", entries)
    export = await here.export()
    assert fates(await there.take(export)) == {"large": "imported"}
    assert there.harness.contents("notes", "large") == entries
    assert fates(await there.take(export)) == {"large": "skipped"}
    assert fates(await there.take(export, REPLACE)) == {"large": "imported"}
    await there.store("large", {"00000": "changed"})
    assert fates(await there.take(export)) == {"large": "object_not_empty"}


async def test_alarms_come_with_their_object(here: Side, there: Side) -> None:
    await here.store("a", {"k": 1})
    await here.set_alarm("a")
    await there.take(await here.export())
    (alarm,) = (await there.harness.store.alarms(there.harness.object_id("notes", "a"))).values()
    (original,) = (await here.harness.store.alarms(here.harness.object_id("notes", "a"))).values()
    assert alarm == original


async def test_a_live_object_is_written_by_its_owner_and_starts_anew_with_its_sockets(
    here: Side, there: Side
) -> None:
    await here.store("a", {"word": "imported"})
    await here.set_alarm("a")
    export = await here.export()
    client = await there.harness.connect("notes", "a")
    client.say("other=1")
    client.say("word")
    await there.harness.settle()
    assert client.take() == ["none"]
    assert fates(await there.take(export)) == {"a": "object_not_empty"}
    assert fates(await there.take(export, REPLACE)) == {"a": "imported"}
    client.say("word")
    await there.harness.settle()
    assert client.take() == ["imported"]
    assert client.closed is None
    assert there.harness.contents("notes", "a") == {"word": "imported"}
    alarms = await there.harness.store.alarms(there.harness.object_id("notes", "a"))
    assert list(alarms) == ["tick"]


async def test_a_live_object_that_stores_nothing_is_empty(here: Side, there: Side) -> None:
    await here.store("a", {"word": "imported"})
    await there.harness.connect("notes", "a")
    assert fates(await there.take(await here.export())) == {"a": "imported"}
    assert there.harness.contents("notes", "a") == {"word": "imported"}


async def test_a_large_import_into_a_live_object_is_refused(here: Side, there: Side) -> None:
    await here.store("a", {f"{n:05}": n for n in range(MOST_ROWS + 1)})
    await there.harness.connect("notes", "a")
    assert fates(await there.take(await here.export())) == {"a": "object_is_live"}


async def test_who_opens_an_object_during_its_import_finds_all_of_it(
    here: Side, there: Side
) -> None:
    await here.store("a", {"word": "imported"})
    export = await here.export()
    there.harness.committer.hold()
    importing = start(there.take(export))
    await there.harness.settle()
    assert there.harness.committer.take()
    connecting = start(there.harness.connect("notes", "a"))
    await there.harness.settle()
    assert there.harness.counted["rooms_opened"] == 0
    there.harness.committer.settle()
    there.harness.committer.release()
    assert fates(await importing) == {"a": "imported"}
    client = await connecting
    client.say("word")
    await there.harness.settle()
    assert client.take() == ["imported"]


async def test_an_import_that_is_given_up_leaves_its_objects_free(here: Side, there: Side) -> None:
    await here.store("a", {"word": "imported"})
    export = await here.export()
    there.harness.committer.hold()
    importing = start(there.take(export))
    await there.harness.settle()
    assert there.harness.committer.take()
    importing.cancel()
    await asyncio.wait([importing])
    there.harness.committer.settle()
    there.harness.committer.release()
    assert there.stored("a") == {}
    client = await there.harness.connect("notes", "a")
    assert client.closed is None
    assert fates(await there.take(export)) == {"a": "imported"}


@pytest.mark.parametrize("result", [CommitResult.LOST, CommitResult.REFUSED])
async def test_a_commit_that_fails_is_tried_again_or_refused_and_the_others_are_written(
    here: Side, there: Side, result: CommitResult
) -> None:
    for name in ("a", "b", "c"):
        await here.store(name, {"k": name})
    export = await here.export()
    there.harness.committer.fail_next(result)
    told = fates(await there.take(export))
    refused = {name for name, fate in told.items() if fate != "imported"}
    assert len(refused) == (0 if result is CommitResult.LOST else 1)
    for name in ("a", "b", "c"):
        assert bool(there.stored(name)) == (name not in refused)


async def test_frozen_and_deleted_objects_are_refused(here: Side, there: Side) -> None:
    for name in ("frozen", "deleted"):
        await here.store(name, {"k": 1})
        await there.store(name, {"k": 2})
    states = MemoryObjectStates(there.harness.database)
    for name in ("frozen", "deleted"):
        object_id = there.harness.object_id("notes", name)
        claim = await there.harness.store.claim(object_id, there.harness.worker_id)
        if name == "frozen":
            assert await states.set_frozen(claim, frozen=True)
            await there.harness.store.release(claim)
        else:
            assert await states.delete(claim, grace_seconds=100)
    told = await there.take(await here.export(), REPLACE)
    assert fates(told) == {"frozen": "object_frozen", "deleted": "object_deleted"}
    found = await there.export()
    assert b'"frozen":true' in found
    assert b'"deleted"' not in found


async def test_damage_in_one_object_is_told_by_its_line_and_the_others_are_imported(
    here: Side, there: Side
) -> None:
    for name in ("a", "b", "c"):
        await here.store(name, {"k": name, "l": 1})
    lines = (await here.export()).splitlines(keepends=True)
    row = parse_line(lines[6])
    assert isinstance(row, RowLine)
    lines[6] = row_line(row.key, encode_value("forged"))
    told = await there.take(lines)
    assert not summary(told)["complete"]
    damaged = [name for name, fate in fates(told).items() if fate == "backup_damaged"]
    assert len(damaged) == 1
    assert there.stored(damaged[0]) == {}
    (at,) = [line["line"] for line in told if line["kind"] == "object" and "code" in line]
    assert at == 9  # where it shows: the last line of that object
    assert summary(told)["imported"] == 2


async def test_a_file_that_was_cut_off_imports_its_whole_objects(here: Side, there: Side) -> None:
    for name in ("a", "b"):
        await here.store(name, {"k": name, "l": 1})
    lines = (await here.export()).splitlines(keepends=True)
    told = await there.take(lines[:-3])
    assert (summary(told)["complete"], summary(told)["imported"]) == (False, 1)
    assert sorted(fates(told).values()) == ["backup_truncated", "imported"]


async def test_the_same_object_twice_in_a_file_is_one_after_the_other(
    here: Side, there: Side
) -> None:
    await here.store("a", {"k": 1})
    lines = (await here.export()).splitlines(keepends=True)
    told = await there.take([lines[0], *lines[1:-1], *lines[1:-1]])
    assert [line["result"] for line in told if line["kind"] == "object"] == [
        "imported",
        "skipped",
    ]


async def test_what_is_no_export_is_refused_before_anything_is_told(there: Side) -> None:
    for hostile in (b"", b"hello\n", b"{}\n", b"\x00" * 5_000_000):
        told: list[object] = []
        with pytest.raises(BackupUnreadable):
            await there.backups.importer.run(stream_of([hostile]), IF_EMPTY, told.append)
        assert not told


async def test_objects_that_cannot_go_anywhere_are_refused_one_by_one(
    here: Side, there: Side
) -> None:
    await here.store("a", {"k": 1})
    export = await here.export()
    foreign = export.replace(b'"namespace":"notes"', b'"namespace":"none"')
    changed = await there.take(foreign)
    assert fates(changed) == {"a": "namespace_unknown"}
    assert summary(changed)["refused"] == 1


async def test_an_object_without_a_name_keeps_its_id_or_gets_one_of_this_cluster(
    here: Side,
) -> None:
    object_id = here.harness.registry.ids.unique("notes")

    async def work(_instance: object, ctx: Any) -> None:
        ctx.storage.put("k", 1)

    await here.harness.run_in_room(object_id, work)
    await here.harness.evict(object_id)
    export = await here.export()
    assert fates(await here.take(export)) == {None: "skipped"}
    other = export.replace(str(object_id)[32:].encode(), b"0" * 32)
    # The line's digest would tell; whoever made it in another cluster made that too.
    lines = [line for line in other.splitlines(keepends=True) if b'"finish"' not in line]
    told = await here.take(lines)
    assert fates(told) == {None: "id_foreign"}


async def test_one_object_is_exported_by_itself_and_one_that_stores_nothing_is_unknown(
    here: Side, there: Side
) -> None:
    await here.store("a", {"k": 1})
    await here.store("b", {"k": 1})
    ids = here.harness.registry.ids
    one = b"".join([p async for p in here.backups.exporter.one(ids.from_name("notes", "a"))])
    header = parse_json(one.splitlines()[0])
    assert header["object"] == str(ids.from_name("notes", "a"))
    assert fates(await there.take(one)) == {"a": "imported"}
    with pytest.raises(ObjectUnknown):
        await anext(here.backups.exporter.one(ids.from_name("notes", "zzz")))


async def test_a_decoded_export_is_for_people_and_cannot_be_imported(
    here: Side, there: Side
) -> None:
    await here.store("a", {"k": {"n": [1]}, "b": b"\x00"})
    object_id = here.harness.object_id("notes", "a")
    here.harness.database.objects[object_id.uuid].rows[b"\xff"] = b"no value of ours"
    exporter = here.backups.exporter
    export = b"".join([piece async for piece in exporter.all(decoded=True)])
    lines = [parse_json(line) for line in export.splitlines()]
    assert [line for line in lines if "key" in line] == [
        {"key": "b", "value": {"$": ["bytes", "00"]}},
        {"key": "k", "value": {"n": [1]}},
        {"key": "\ufffd", "value": None},
    ]
    with pytest.raises(BackupUnreadable):
        await there.take(export)
