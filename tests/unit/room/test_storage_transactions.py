"""transaction and delete_all: the conformance list, J and K, in the default mode."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.errors import OwnershipLost
from app.core.values import CommitResult
from app.sdk import ObjectFault, Request, Transaction
from app.testing.harness import ObjectHarness
from tests.unit.room.lab import Lab, begin, forget, perform


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"lab": Lab}) as made:
        yield made


async def _read(lab: Lab) -> dict[str, Any]:
    return await lab.storage.list()


# -- J: transaction ----------------------------------------------------------------------------


async def test_115_116_writes_of_a_transaction_are_seen_inside_and_committed_together(
    harness: ObjectHarness,
) -> None:
    async def step(lab: Lab) -> Any:
        async with lab.storage.transaction():
            lab.storage.put("a", 1)
            lab.storage.put("b", 2)
            return await lab.storage.get("a"), list(await lab.storage.list())

    assert await perform(harness, step) == (1, ["a", "b"])
    assert len(harness.committer.committed) == 1


async def test_117_127_an_exception_undoes_the_block_only_and_goes_on_to_the_caller(
    harness: ObjectHarness,
) -> None:
    async def fail(lab: Lab) -> None:
        async with lab.storage.transaction():
            lab.storage.put("inside", 1)
            lab.storage.delete("before")
            raise ZeroDivisionError

    async def step(lab: Lab) -> Any:
        lab.storage.put("before", 1)
        with pytest.raises(ZeroDivisionError):
            await fail(lab)
        return await lab.storage.list()

    begun = Lab.begun
    assert await perform(harness, step) == {"before": 1}
    assert harness.stored("lab", "a").keys() == {b"before"}
    assert Lab.begun == begun + 1, "started once, not reset"


async def test_118_119_rollback_discards_and_may_be_repeated_and_the_block_goes_on(
    harness: ObjectHarness,
) -> None:
    async def step(lab: Lab) -> Any:
        async with lab.storage.transaction() as transaction:
            lab.storage.put("a", 1)
            transaction.rollback()
            transaction.rollback()
            lab.storage.put("b", 2)
            return await lab.storage.list()

    assert await perform(harness, step) == {"b": 2}
    assert harness.stored("lab", "a").keys() == {b"b"}


async def test_120_a_transaction_cannot_be_used_after_its_end(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> None:
        kept: list[Transaction] = []
        async with lab.storage.transaction() as transaction:
            kept.append(transaction)
        with pytest.raises(RuntimeError, match="has ended"):
            kept[0].rollback()

    await perform(harness, step)


async def test_121_122_transactions_nest(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        storage = lab.storage
        seen = []
        async with storage.transaction():
            storage.put("outer", 1)
            async with storage.transaction() as inner:
                storage.put("inner", 1)
                inner.rollback()
            seen.append(list(await storage.list()))
        async with storage.transaction() as outer:
            async with storage.transaction():
                storage.put("again", 1)
            outer.rollback()
        seen.append(list(await storage.list()))
        return seen

    assert await perform(harness, step) == [["outer"], ["outer"]]


async def test_an_outer_transaction_cannot_be_rolled_back_from_inside_an_inner_one(
    harness: ObjectHarness,
) -> None:
    async def step(lab: Lab) -> None:
        async with lab.storage.transaction() as outer, lab.storage.transaction():
            with pytest.raises(RuntimeError, match="one inside it is still open"):
                outer.rollback()

    await perform(harness, step)


async def test_123_delete_all_inside_a_transaction_raises(harness: ObjectHarness) -> None:
    async def step(lab: Lab) -> None:
        async with lab.storage.transaction():
            with pytest.raises(RuntimeError, match="delete_all"):
                lab.storage.delete_all()

    await perform(harness, step)


async def test_128_a_failed_commit_of_a_transaction_is_never_a_success(
    harness: ObjectHarness,
) -> None:
    async def step(lab: Lab) -> None:
        async with lab.storage.transaction():
            lab.storage.put("a", 1)

    harness.committer.fail_next(CommitResult.LOST)
    with pytest.raises(OwnershipLost):
        await perform(harness, step)
    assert await perform(harness, _read) == {}


# -- K: delete_all -----------------------------------------------------------------------------


@pytest.fixture
async def filled(harness: ObjectHarness) -> ObjectHarness:
    await perform(harness, lambda lab: lab.storage.put_many({"a": 1, "b": 2}))
    await forget(harness)
    return harness


async def test_130_delete_all_removes_every_key(filled: ObjectHarness) -> None:
    async def step(lab: Lab) -> Any:
        lab.storage.put("c", 3)
        await lab.storage.delete_all()
        return await lab.storage.list(), await lab.storage.get("a"), await lab.storage.get("c")

    assert await perform(filled, step) == ({}, None, None)
    assert filled.stored("lab", "a") == {}
    assert await perform(filled, _read) == {}


async def test_134_a_delete_all_that_is_not_committed_deletes_nothing(
    filled: ObjectHarness,
) -> None:
    def fail(lab: Lab) -> None:
        lab.storage.delete_all()
        raise RuntimeError("undone")

    with pytest.raises(ObjectFault):
        await perform(filled, fail)
    assert await perform(filled, _read) == {"a": 1, "b": 2}
    filled.committer.fail_next(CommitResult.LOST)
    with pytest.raises(OwnershipLost):
        await perform(filled, lambda lab: lab.storage.delete_all())
    assert await perform(filled, _read) == {"a": 1, "b": 2}


async def test_135_136_what_is_put_after_delete_all_stays_and_it_may_be_called_twice(
    filled: ObjectHarness,
) -> None:
    def step(lab: Lab) -> None:
        lab.storage.delete_all()
        lab.storage.put("x", 1)
        lab.storage.delete_all()
        lab.storage.put("c", 3)

    await perform(filled, step)
    assert await perform(filled, _read) == {"c": 3}
    await forget(filled)
    assert await perform(filled, _read) == {"c": 3}


async def test_55_delete_all_holds_sends_back_like_every_write(filled: ObjectHarness) -> None:
    alice = await filled.connect("lab", "a")

    def step(lab: Lab) -> None:
        lab.storage.delete_all()
        lab.ctx.broadcast("gone")

    filled.committer.hold()
    event = begin(filled, step)
    await filled.settle()
    assert alice.take() == []
    filled.committer.commit_now()
    await event
    assert alice.take() == ["gone"]


async def test_an_object_that_deletes_everything_is_still_found_under_its_name(
    filled: ObjectHarness,
) -> None:
    await perform(filled, lambda lab: lab.storage.delete_all())
    _, receipt = await (await filled.room("lab", "a")).request(Request())
    assert receipt.commit_seq == 3, "filled once, emptied twice"
