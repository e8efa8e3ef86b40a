"""Transactions: what is written in one is kept or undone as a whole (J)."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app.core.errors import OwnershipLost
from app.core.values import CommitResult
from app.sdk import Transaction
from app.testing.driving import Harness
from app.testing.pytest_plugin import HarnessMaker
from tests.unit.room.lab import LABS, Lab, perform


@pytest.fixture(params=LABS)
async def harness(
    object_harness: HarnessMaker, request: pytest.FixtureRequest
) -> AsyncIterator[Harness]:
    async with object_harness({"lab": request.param}) as made:
        yield made


async def _read(lab: Lab) -> dict[str, Any]:
    return await lab.storage.list()


async def test_115_what_the_closure_returns_is_returned(harness: Harness) -> None:
    """A transaction returns what its closure returns."""

    async def step(lab: Lab) -> Any:
        async def closure(transaction: Transaction) -> int:
            transaction.put("key", 1)
            return 7

        return await lab.storage.transaction(closure), await lab.storage.get("key")

    assert await perform(harness, step) == (7, 1)


async def test_116_writes_are_seen_inside_and_committed_together(harness: Harness) -> None:
    """Writes of a transaction are committed together; reads inside see them before that."""

    async def step(lab: Lab) -> Any:
        async with lab.storage.transaction() as transaction:
            transaction.put("a", 1)
            lab.storage.put("b", 2)
            return await transaction.get("a"), list(await lab.storage.list())

    assert await perform(harness, step) == (1, ["a", "b"])
    assert harness.contents("lab", "a") == {"a": 1, "b": 2}
    assert (await harness.room("lab", "a")).lane.commit_seq == 1


async def test_117_an_exception_undoes_and_goes_on_to_the_caller(harness: Harness) -> None:
    """An exception undoes the transaction and goes on to the caller; the object is not reset."""

    async def fails(transaction: Transaction) -> None:
        transaction.put("inside", 1)
        raise ZeroDivisionError

    async def in_a_block(lab: Lab) -> None:
        async with lab.storage.transaction() as transaction:
            await fails(transaction)

    async def step(lab: Lab) -> Any:
        with pytest.raises(ZeroDivisionError):
            await lab.storage.transaction(fails)
        with pytest.raises(ZeroDivisionError):
            await in_a_block(lab)
        return await lab.storage.list()

    begun = Lab.begun
    assert await perform(harness, step) == {}
    assert harness.stored("lab", "a") == {}
    assert (Lab.begun, harness.counted["object_faults"]) == (begun + 1, 0)


async def test_118_rollback_discards_and_the_block_goes_on(harness: Harness) -> None:
    """rollback() undoes what was written; the closure may still return well."""

    async def closure(transaction: Transaction) -> str:
        transaction.put("a", 1)
        transaction.rollback()
        return "well"

    async def step(lab: Lab) -> Any:
        result = await lab.storage.transaction(closure)
        async with lab.storage.transaction() as transaction:
            transaction.put("b", 1)
            transaction.rollback()
            lab.storage.put("after", 1)
        return result

    assert await perform(harness, step) == "well"
    assert harness.contents("lab", "a") == {"after": 1}


async def test_119_after_a_rollback_the_transaction_refuses_everything(
    harness: Harness,
) -> None:
    """rollback() twice is fine; any other call of the transaction after it raises."""

    async def step(lab: Lab) -> None:
        async with lab.storage.transaction() as transaction:
            transaction.rollback()
            transaction.rollback()
            await _refuses(transaction, "rolled back")

    await perform(harness, step)


async def test_120_after_its_end_the_transaction_refuses_everything(
    harness: Harness,
) -> None:
    """Using a transaction after its end raises."""

    async def step(lab: Lab) -> None:
        async with lab.storage.transaction() as transaction:
            transaction.put("a", 1)
        await _refuses(transaction, "has ended")
        with pytest.raises(RuntimeError, match="has ended"):
            transaction.rollback()

    await perform(harness, step)
    assert harness.contents("lab", "a") == {"a": 1}


async def _refuses(transaction: Transaction, reason: str) -> None:
    calls: tuple[Callable[[], Any], ...] = (
        lambda: transaction.get("a"),
        lambda: transaction.get_many(["a"]),
        transaction.list,
        lambda: anext(aiter(transaction.stream())),
        lambda: transaction.put("a", 2),
        lambda: transaction.put_many({"a": 2}),
        lambda: transaction.delete("a"),
        lambda: transaction.delete_many(["a"]),
        transaction.delete_all,
        lambda: transaction.set_alarm(1),
        transaction.get_alarm,
        transaction.delete_alarm,
        transaction.sync,
        lambda: transaction.transaction_sync(lambda: None),
    )
    for call in calls:
        with pytest.raises(RuntimeError, match=reason):
            await call()


async def test_121_an_inner_rollback_keeps_the_outer_writes(harness: Harness) -> None:
    """Transactions nest: rolling the inner one back keeps what the outer one wrote."""

    async def fails(inner: Transaction) -> None:
        inner.put("failed", 1)
        raise ZeroDivisionError

    async def step(lab: Lab) -> None:
        async with lab.storage.transaction() as outer:
            outer.put("outer", 1)
            async with outer.transaction() as inner:
                inner.put("inner", 1)
                inner.rollback()
            with pytest.raises(ZeroDivisionError):
                await outer.transaction(fails)
            outer.put("later", 1)

    await perform(harness, step)
    assert harness.contents("lab", "a") == {"later": 1, "outer": 1}


async def test_122_an_outer_rollback_undoes_an_inner_one_that_ended_well(
    harness: Harness,
) -> None:
    """Rolling the outer transaction back undoes an inner one that had ended well."""

    async def step(lab: Lab) -> None:
        lab.storage.put("before", 1)
        async with lab.storage.transaction() as outer:
            async with lab.storage.transaction() as inner:
                inner.put("inner", 1)
                inner.delete("before")
            outer.rollback()

    await perform(harness, step)
    assert harness.contents("lab", "a") == {"before": 1}


async def test_127_writes_made_just_before_are_not_lost(harness: Harness) -> None:
    """Writes made just before a transaction are not lost when it is rolled back."""

    async def fails(transaction: Transaction) -> None:
        transaction.put("before", 2)
        transaction.delete("before")
        raise ZeroDivisionError

    async def step(lab: Lab) -> Any:
        lab.storage.put("before", 1)
        with pytest.raises(ZeroDivisionError):
            await lab.storage.transaction(fails)
        return await lab.storage.get("before")

    assert await perform(harness, step) == 1
    assert harness.contents("lab", "a") == {"before": 1}


async def test_129_a_plain_function_is_run_as_a_transaction(harness: Harness) -> None:
    """A synchronous transaction: raising undoes it, they nest, and its value is returned."""

    async def coroutine() -> None:
        """Is not run."""

    def step(lab: Lab) -> Any:
        storage = lab.storage

        def inner() -> None:
            storage.put("inner", 1)
            raise ZeroDivisionError

        def outer() -> str:
            storage.put("outer", 1)
            with pytest.raises(ZeroDivisionError):
                storage.transaction_sync(inner)
            return "well"

        def awaits() -> Any:
            storage.put("awaited", 1)
            return coroutine()

        with pytest.raises(TypeError, match="plain function"):
            storage.transaction_sync(awaits)
        return storage.transaction_sync(outer)

    assert await perform(harness, step) == "well"
    assert harness.contents("lab", "a") == {"outer": 1}


async def test_123_delete_all_inside_a_transaction_raises(harness: Harness) -> None:
    """delete_all inside a transaction raises."""

    async def step(lab: Lab) -> None:
        async with lab.storage.transaction():
            with pytest.raises(RuntimeError, match="delete_all"):
                lab.storage.delete_all()

    await perform(harness, step)


async def test_128_a_failed_commit_of_a_transaction_is_never_a_success(
    harness: Harness,
) -> None:
    """When the commit fails the object is reset and the caller gets an error, never a success."""

    async def step(lab: Lab) -> None:
        async with lab.storage.transaction():
            lab.storage.put("a", 1)

    harness.committer.fail_next(CommitResult.LOST)
    with pytest.raises(OwnershipLost):
        await perform(harness, step)
    assert await perform(harness, _read) == {}
