"""Contents of objects as JSON, from outside: who has one, what is refused, what stays asleep."""

import json  # noqa: TID251 - reads what is given out
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from app.cluster.contents import Contents
from app.core.admin_errors import (
    ContentInvalid,
    ContentPresent,
    ContentTooLarge,
    ContentUnknown,
    NoContent,
)
from app.core.errors import NamespaceUnknown, ObjectDeleted, ObjectFrozen, ObjectUnknown
from app.core.ids import ObjectId
from app.sdk import DurableObject, Upload
from app.sdk.content import CONTENT_BYTES
from app.testing.harness import ObjectHarness
from app.testing.memory import MemoryObjectStates
from app.tinybase.room import TinyBaseRoom


class Plain(DurableObject):
    """Has no content."""


class Note(DurableObject):
    """Has a content of its own kind: one text under the values."""

    async def read_content(self, path: list[str], limit_bytes: int) -> str | None:
        del limit_bytes
        text = await self.ctx.storage.get("text", '""')
        return text if path == ["values", "text"] else None

    async def patch_content(self, path: list[str], patch: str) -> str | None:
        return await self.replace_content(path, patch)

    async def replace_content(self, path: list[str], content: str) -> str | None:
        if path != ["values", "text"]:
            return "a note is one text"
        self.ctx.storage.put("text", content)
        return None

    async def delete_content(self, path: list[str]) -> bool:
        del path
        return False


CLASSES = {"plain": Plain, "note": Note, "tinybase": TinyBaseRoom}


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness(CLASSES) as harness:
        yield harness


@pytest.fixture
def contents(harness: ObjectHarness) -> Contents:
    namespaces = harness.registry.namespaces
    return Contents(namespaces, harness.stubs, MemoryObjectStates(harness.database))


def room(harness: ObjectHarness, name: str = "a", namespace: str = "tinybase") -> ObjectId:
    return harness.object_id(namespace, name)


async def test_what_is_put_is_read_patched_and_deleted(
    harness: ObjectHarness, contents: Contents
) -> None:
    pets = ["tables", "pets"]
    await contents.replace(room(harness), [], b'{"tables":{"pets":{"fido":{"age":3}}}}')
    await contents.patch(room(harness), [*pets, "rex"], b'{"age":4}')
    assert await contents.read(room(harness), pets) == b'{"fido":{"age":3},"rex":{"age":4}}'
    await contents.delete(room(harness), [*pets, "fido"])
    assert await contents.read(room(harness), pets) == b'{"rex":{"age":4}}'


async def test_a_class_of_an_author_may_have_a_content(
    harness: ObjectHarness, contents: Contents
) -> None:
    note = room(harness, namespace="note")
    await contents.replace(note, ["values", "text"], b'"hello"')
    assert await contents.read(note, ["values", "text"]) == b'"hello"'
    with pytest.raises(NoContent):
        await contents.read(note, [])


async def test_a_class_without_the_methods_has_none(
    harness: ObjectHarness, contents: Contents
) -> None:
    plain = room(harness, namespace="plain")
    for refused in (
        contents.read(plain, []),
        contents.patch(plain, [], b"{}"),
        contents.replace(plain, [], b"{}"),
        contents.delete(plain, []),
    ):
        with pytest.raises(NoContent):
            await refused
    assert harness.live_room("plain", "a") is None


Call = Callable[[Contents, ObjectId], Awaitable[object]]


@pytest.mark.parametrize(
    "call",
    [lambda contents, a: contents.read(a, []), lambda contents, a: contents.delete(a, [])],
    ids=["read", "delete"],
)
async def test_an_object_that_does_not_exist_is_not_made_by_a_look(
    harness: ObjectHarness, contents: Contents, call: Call
) -> None:
    with pytest.raises(ObjectUnknown):
        await call(contents, room(harness))
    assert harness.list_rooms("tinybase") == []


async def test_a_deleted_object_is_told_so(harness: ObjectHarness, contents: Contents) -> None:
    await contents.replace(room(harness), [], b'{"values":{"a":1}}')
    states = MemoryObjectStates(harness.database)
    claim = await harness.store.claim(room(harness), harness.membership.worker_id)
    assert await states.delete(claim, grace_seconds=60)
    with pytest.raises(ObjectDeleted):
        await contents.read(room(harness), [])


async def test_a_frozen_object_is_read_and_refuses_changes_before_they_cost_anything(
    harness: ObjectHarness, contents: Contents
) -> None:
    await contents.replace(room(harness), [], b'{"values":{"a":1}}')
    states = MemoryObjectStates(harness.database)
    claim = await harness.store.claim(room(harness), harness.membership.worker_id)
    assert await states.set_frozen(claim, frozen=True)
    for refused in (
        contents.patch(room(harness), [], b"{}"),
        contents.replace(room(harness), [], b"{}"),
        contents.delete(room(harness), []),
        contents.take_in(room(harness), upload(b"[]"), PLAIN, "merge"),
    ):
        with pytest.raises(ObjectFrozen):
            await refused
    await harness.abort_all()
    assert await contents.read(room(harness), ["values"]) == b'{"a":1}'


async def test_what_is_missing_wrong_or_too_large_is_refused(
    harness: ObjectHarness, contents: Contents
) -> None:
    await contents.replace(room(harness), [], b'{"values":{"a":1}}')
    for part in (["tables", "t"], ["values", "b"]):
        with pytest.raises(ContentUnknown):
            await contents.read(room(harness), part)
        with pytest.raises(ContentUnknown):
            await contents.delete(room(harness), part)
    with pytest.raises(ContentInvalid, match="not an object of cells"):
        await contents.replace(room(harness), ["values"], b"7")
    with pytest.raises(ContentInvalid, match="UTF-8"):
        await contents.patch(room(harness), ["values", "a"], b'"\xff"')
    with pytest.raises(ContentTooLarge):
        await contents.patch(room(harness), [], b" " * (CONTENT_BYTES + 1))
    assert await contents.read(room(harness), ["values"]) == b'{"a":1}'


async def test_more_than_one_call_carries_is_read_part_by_part(
    harness: ObjectHarness, contents: Contents
) -> None:
    for row in range(2):
        big = b'{"c":"%b"}' % (b'\\"' * (CONTENT_BYTES // 2 - 1000))
        await contents.replace(room(harness), ["tables", "t", str(row)], big)
    with pytest.raises(ContentTooLarge):
        await contents.read(room(harness), ["tables", "t"])
    assert len(await contents.read(room(harness), ["tables", "t", "0"])) > CONTENT_BYTES - 3000


async def test_an_unknown_namespace_is_told(harness: ObjectHarness, contents: Contents) -> None:
    elsewhere = ObjectId(namespace="no", uuid=room(harness).uuid, check=room(harness).check)
    with pytest.raises(NamespaceUnknown):
        await contents.read(elsewhere, [])


# -- moving in and out -------------------------------------------------------------------------

PLAIN = Upload(format="content")
STAMPED = (
    b'[[{"t":[{"1":[{"c":[1,"Nn1JUF-----7JQY8"]}],"2":[{"c":[2,"Nn1JUF----07JQY8"]}]}]}],[{}]]'
)


async def upload(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 10):
        yield content[at : at + 10]


async def exported(contents: Contents, object_id: ObjectId, form: str) -> list[bytes]:
    return [part async for part in contents.export(object_id, form)]


async def test_a_file_is_taken_in_and_given_out_again(
    harness: ObjectHarness, contents: Contents
) -> None:
    taken = await contents.take_in(room(harness), upload(STAMPED), PLAIN, "if-empty")
    assert (taken.size_bytes, taken.events) == (len(STAMPED), 1)
    plain = b'[{"t":{"1":{"c":1},"2":{"c":2}}},{}]'
    assert await exported(contents, room(harness), "content") == [plain]
    again = contents.export(room(harness), "mergeable")
    await contents.take_in(room(harness, "b"), again, PLAIN, "if-empty")
    for form in ("content", "mergeable"):
        first = await exported(contents, room(harness), form)
        assert await exported(contents, room(harness, "b"), form) == first


async def test_an_import_that_cannot_be_is_refused_with_its_reason(
    harness: ObjectHarness, contents: Contents
) -> None:
    with pytest.raises(ContentInvalid, match="no JSON"):
        await contents.take_in(room(harness), upload(b"["), PLAIN, "merge")
    with pytest.raises(ContentInvalid, match="must be one of"):
        await contents.take_in(room(harness), upload(b"[]"), Upload(format="yaml"), "merge")
    future = b'[[{}],[{"v":[1,"zzzzzzz----7JQY8"]}]]'
    with pytest.raises(ContentInvalid, match="future"):
        await contents.take_in(room(harness), upload(future), PLAIN, "merge")
    assert harness.live_room("tinybase", "b") is None
    await contents.take_in(room(harness), upload(STAMPED), PLAIN, "merge")
    with pytest.raises(ContentPresent):
        await contents.take_in(room(harness), upload(STAMPED), PLAIN, "if-empty")
    for namespace in ("plain", "note"):
        with pytest.raises(NoContent):
            await contents.take_in(
                room(harness, namespace=namespace), upload(STAMPED), PLAIN, "merge"
            )


async def test_what_does_not_fit_one_event_is_only_merged_and_then_in_several(
    harness: ObjectHarness, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cluster.contents.CONTENT_BYTES", 40)
    for mode in ("if-empty", "replace"):
        with pytest.raises(ContentTooLarge) as refused:
            await contents.take_in(room(harness), upload(STAMPED), PLAIN, mode)
        assert "mode=merge" in refused.value.remedy
    for _ in range(2):
        taken = await contents.take_in(room(harness), upload(STAMPED), PLAIN, "merge")
        assert taken.events == 2
    assert await contents.read(room(harness), ["tables", "t", "2"]) == b'{"c":2}'
    parts = await exported(contents, room(harness), "mergeable")
    assert len(parts) > 1
    assert json.loads(b"".join(parts))[0][0]["t"][0].keys() == {"1", "2"}


async def test_a_file_is_bounded(
    harness: ObjectHarness, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cluster.contents.UPLOAD_BYTES", 50)
    with pytest.raises(ContentTooLarge):
        await contents.take_in(room(harness), upload(STAMPED), PLAIN, "merge")
    assert harness.live_room("tinybase", "a") is None


async def test_what_is_not_there_or_not_in_that_format_is_not_given_out(
    harness: ObjectHarness, contents: Contents
) -> None:
    with pytest.raises(ObjectUnknown):
        await exported(contents, room(harness), "content")
    await contents.replace(room(harness), [], b'{"values":{"a":1}}')
    with pytest.raises(NoContent):
        await exported(contents, room(harness), "yaml")
