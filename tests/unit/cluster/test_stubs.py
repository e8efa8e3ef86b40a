"""Stubs: what can be called, what travels, and what comes back."""

from typing import Any

import pytest

from app.core.errors import (
    CallRefused,
    IdInvalid,
    NamespaceUnknown,
)
from app.sdk import Request
from app.testing.harness import ObjectHarness
from tests.unit.cluster.calling import Node


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


async def test_a_name_with_an_underscore_is_no_attribute_of_a_stub(harness: ObjectHarness) -> None:
    with pytest.raises(AttributeError):
        _ = harness.stub("node", "a")._hidden()


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


async def test_a_request_whose_headers_are_odd_is_refused_at_the_caller(
    harness: ObjectHarness,
) -> None:
    odd: Any = {"x": 1}
    with pytest.raises(CallRefused, match="headers"):
        _ = harness.stub("node", "a").fetch(Request(headers=odd))
