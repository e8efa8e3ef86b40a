"""Stubs: what can be called, what travels, and what comes back."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.errors import (
    CallRefused,
    IdInvalid,
    MethodUnknown,
    NamespaceUnknown,
    ObjectFault,
    RoomAborted,
)
from app.core.tasks import TaskOwner
from app.sdk import DurableObject, Request
from app.testing.harness import ObjectHarness
from tests.unit.cluster.calling import Node, reset

_tasks = TaskOwner("test")


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    reset()
    async with ObjectHarness({"node": Node}) as made:
        yield made


async def test_a_method_runs_in_the_object_and_its_result_comes_back(
    harness: ObjectHarness,
) -> None:
    stub = harness.stub("node", "a")
    assert await stub.add(2) == 2
    assert await stub.add(3, twice=True) == 8
    assert harness.contents("node", "a") == {"total": 8}


async def test_17_a_stub_knows_its_object_and_starts_nothing(harness: ObjectHarness) -> None:
    namespace = harness.stubs.namespace("node")
    stub = namespace.get_by_name("a")
    assert stub.id == namespace.id_from_name("a") == namespace.id_from_string(str(stub.id))
    assert stub.name == "a"
    assert namespace.get(namespace.new_unique_id()).name is None
    assert namespace.name == "node"
    assert harness.live_room("node", "a") is None


async def test_what_is_not_mounted_cannot_be_called(harness: ObjectHarness) -> None:
    with pytest.raises(NamespaceUnknown, match="nowhere"):
        harness.stub("nowhere", "a")

    async def look(node: Node) -> None:
        node.ctx.namespace("nowhere")

    Node.steps = {"look": look}
    with pytest.raises(NamespaceUnknown, match="nowhere"):
        await harness.stub("node", "a").do("look")


async def test_7_an_id_of_another_namespace_is_refused() -> None:
    async with ObjectHarness({"node": Node, "other": Node}) as harness:
        with pytest.raises(IdInvalid):
            harness.stubs.namespace("node").get(harness.object_id("other", "a"))


async def test_fetch_runs_on_request(harness: ObjectHarness) -> None:
    response = await harness.stub("node", "a").fetch(Request(method="POST", path="/x", body=b"12"))
    assert (response.status, response.body) == (201, b'{"path":"/x","length":2}')
    assert harness.contents("node", "a") == {"asked": "/x"}


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("nothing", "no method"),
        ("plain", "no coroutine"),
        ("on_request", "hook"),
        ("on_start", "hook"),
        ("on_whatever", "hook"),
        ("check_settings", "hook"),
        ("ctx", "no method"),
        ("log", "no coroutine"),
    ],
)
async def test_225_what_is_no_method_for_others_is_refused_and_wakes_nobody(
    harness: ObjectHarness, method: str, reason: str
) -> None:
    with pytest.raises(MethodUnknown, match=reason):
        getattr(harness.stub("node", "a"), method)()
    assert harness.live_room("node", "a") is None


async def test_a_name_with_an_underscore_is_no_attribute_of_a_stub(harness: ObjectHarness) -> None:
    with pytest.raises(AttributeError):
        _ = harness.stub("node", "a")._hidden()


async def test_227_get_put_and_delete_are_ordinary_names() -> None:
    class Shelf(DurableObject):
        async def put(self, value: int) -> None:
            self.value = value

        async def get(self) -> int:
            return self.value

    async with ObjectHarness({"shelf": Shelf}) as harness:
        stub = harness.stub("shelf", "a")
        await stub.put(4)
        assert await stub.get() == 4


async def test_228_arguments_and_results_are_copies_with_their_types(
    harness: ObjectHarness,
) -> None:
    inner = [1, 2]
    value = {
        "bytes": b"\x00",
        "when": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        "set": {1, 2},
        "nested": inner,
        "no": None,
    }
    back = await harness.stub("node", "a").echo(value)
    assert back == value
    assert back["nested"] is not inner

    async def keep(node: Node) -> Any:
        stub, mine = node.other("b"), [1]
        theirs = await stub.echo(mine)
        return theirs == mine and theirs is not mine

    Node.steps = {"keep": keep}
    assert await harness.stub("node", "a").do("keep") is True


async def test_229_what_cannot_travel_is_refused_before_anything_is_sent(
    harness: ObjectHarness,
) -> None:
    with pytest.raises(TypeError, match=r"the arguments of echo cannot travel: .*object"):
        _ = harness.stub("node", "a").echo(object())
    with pytest.raises(CallRefused, match="limit"):
        _ = harness.stub("node", "a").echo(bytes(33 << 20))
    with pytest.raises(CallRefused, match="takes a Request"):
        _ = harness.stub("node", "a").fetch("/x")  # type: ignore[arg-type]  # that is the point
    assert harness.live_room("node", "a") is None


async def test_arguments_that_the_method_does_not_take_harm_nobody(harness: ObjectHarness) -> None:
    stub = harness.stub("node", "a")
    await stub.add(1)
    with pytest.raises(CallRefused, match="amount"):
        await stub.add()
    assert harness.counted["object_faults"] == 0
    assert await stub.total() == 1


async def test_a_result_that_cannot_travel_undoes_the_event(harness: ObjectHarness) -> None:
    with pytest.raises(CallRefused, match="the result of strange") as caught:
        await harness.stub("node", "a").strange()
    assert caught.value.remote
    assert harness.counted["object_faults"] == 1


async def test_230_an_exception_arrives_by_class_name_text_and_flags(
    harness: ObjectHarness,
) -> None:
    stub = harness.stub("node", "a")
    with pytest.raises(ObjectFault, match="ValueError: no luck") as caught:
        await stub.fail("luck")
    error = caught.value
    assert (error.class_name, error.message, error.remote) == ("ValueError", "no luck", True)
    assert (error.retryable, error.overloaded, error.reset) == (False, False, False)
    assert error.object_id == str(stub.id)
    assert error.__cause__ is None
    with pytest.raises(ObjectFault) as own:
        await harness.stub("node", "b").fail("own")
    assert own.value.class_name == "Own"
    assert own.value.retryable
    with pytest.raises(RoomAborted, match="told by another") as ours:
        await harness.stub("node", "c").fail("aborted")
    assert ours.value.remote
    assert ours.value.reset
    assert harness.contents("node", "a") == {}


async def test_a_request_whose_headers_are_odd_is_refused_at_the_caller(
    harness: ObjectHarness,
) -> None:
    odd: Any = {"x": 1}
    with pytest.raises(CallRefused, match="headers"):
        _ = harness.stub("node", "a").fetch(Request(headers=odd))
