"""SQL storage (P, 237 to 247): an object's storage is keys and values, and nothing else."""

import inspect
from collections.abc import AsyncIterator, Callable

import pytest

import app.sdk
from app.core.values import CommitResult
from app.sdk import Context, StateroomError, Storage
from app.testing.harness import ObjectHarness
from tests.conformance.jotter import Jotter
from tests.conformance.verdicts import not_offered

TAKES_TEXT_OF_A_STATEMENT = {"query", "sql", "statement", "statements", "bindings"}


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    async with ObjectHarness({"jotter": Jotter}) as made:
        yield made


def calls_of_storage() -> dict[str, Callable[..., object]]:
    return {
        name: body
        for name, body in vars(Storage).items()
        if not name.startswith("_") and inspect.isfunction(body)
    }


@not_offered("objects have no SQL of their own: their rows lie in one shared Postgres")
async def test_237_several_statements_in_one_call(harness: ObjectHarness) -> None:
    """Several SQL statements in one call give the rows of the last, which gets the bindings."""

    def look(_instance: Jotter, ctx: Context) -> list[str]:
        return [name for name in ("sql", "exec", "execute") if hasattr(ctx.storage, name)]

    assert await harness.run_in_room(harness.object_id("jotter", "a"), look) == []


@not_offered("no call takes SQL text, so there is none to be wrong")
def test_238_wrong_statements_raise() -> None:
    """Wrong binding counts, empty statements and syntax errors raise with their text."""
    parameters = {
        name for body in calls_of_storage().values() for name in inspect.signature(body).parameters
    }
    assert not parameters & TAKES_TEXT_OF_A_STATEMENT


@not_offered("no call takes SQL text; `transaction` is the only way to begin and end one")
def test_239_transaction_statements_are_refused() -> None:
    """BEGIN, COMMIT and SAVEPOINT as SQL text are refused, with a hint to `transaction`."""
    calls = calls_of_storage()
    assert "transaction" in calls
    assert not {"begin", "commit", "savepoint"} & calls.keys()


@not_offered("no call takes SQL text; a key that reads like a table's name is a key like others")
async def test_240_internal_tables_are_out_of_reach(harness: ObjectHarness) -> None:
    """The names of internal tables are refused in every spelling."""
    stub = harness.stub("jotter", "a")
    for name in ("object_row", "OBJECT", 'object_alarm"; drop table object'):
        await stub.keep(name, name)
    await stub.keep("other", 1)
    assert len(harness.contents("jotter", "a")) == 4


@not_offered("there are no cursors: `list` gives a dictionary, `stream` pages through it")
def test_241_cursors_give_one_row_or_the_rest() -> None:
    """A cursor's `one` raises unless there is one row; its raw and object forms share a place."""
    assert not [name for name in app.sdk.__all__ if "cursor" in name.lower()]


@not_offered("there are no columns: a value is one Python value")
async def test_242_column_names_outlive_the_rows(harness: ObjectHarness) -> None:
    """A cursor's column names keep duplicates and are there after its rows were read."""

    async def look(_instance: Jotter, ctx: Context) -> type:
        return type(await ctx.storage.list())

    assert await harness.run_in_room(harness.object_id("jotter", "a"), look) is dict


@not_offered("reads and writes are not metered for an author")
async def test_243_cursors_count_what_they_read_and_write(harness: ObjectHarness) -> None:
    """A cursor counts the rows it has read and written so far, each cursor its own."""

    def look(_instance: Jotter, ctx: Context) -> bool:
        return any(hasattr(ctx.storage, name) for name in ("rows_read", "rows_written"))

    assert not await harness.run_in_room(harness.object_id("jotter", "a"), look)


@not_offered("no statement fails under an author; a commit that the database refuses ends the room")
async def test_244_a_critical_error_ends_the_room(harness: ObjectHarness) -> None:
    """A critical error of a statement, such as a full disk, ends the room even if it is caught."""
    room = await harness.room("jotter", "a")
    harness.committer.fail_next(CommitResult.REFUSED)
    with pytest.raises(StateroomError):
        await harness.stub("jotter", "a").keep("key", 1)
    assert not room.open
    assert harness.contents("jotter", "a") == {}


@not_offered("there is no SQL; all that an event writes is committed together")
async def test_245_sql_and_keys_commit_together(harness: ObjectHarness) -> None:
    """What one event writes by SQL and by keys is committed together."""

    def write(_instance: Jotter, ctx: Context) -> None:
        ctx.storage.put("a", 1)
        ctx.storage.put_many({"b": 2, "c": 3})
        ctx.storage.set_alarm(ctx.now() + 1000)

    await harness.run_in_room(harness.object_id("jotter", "a"), write)
    (batch,) = harness.committer.committed
    assert (len(batch.entries), len(batch.alarms)) == (3, 1)


@not_offered("an object has no database of its own, so it has no size")
async def test_246_the_size_of_the_database_is_known_and_limited(harness: ObjectHarness) -> None:
    """`database_size` follows what is stored, and writes over its limit fail."""

    def look(_instance: Jotter, ctx: Context) -> bool:
        return hasattr(ctx.storage, "database_size")

    assert not await harness.run_in_room(harness.object_id("jotter", "a"), look)


@not_offered("no call takes SQL text or bindings; values have the bound of statement 86")
def test_247_statements_and_bindings_have_limits() -> None:
    """Statements over 100 KB, more than 100 bindings and values over 2 MB are refused."""
    assert not [name for name in app.sdk.__all__ if "sql" in name.lower()]
    assert not [name for name in calls_of_storage() if "sql" in name.lower()]
