"""The conformance statements that can be seen from outside, asked of workerd and of our server.

A small JavaScript object and its Python twin run the same steps (tests/interop/compared). All
cases run at once against both servers, so that their waits overlap; then both are killed and
started again for the statements about what outlives that. `-rA` or a failure prints the table.
"""

import asyncio
import fcntl
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.interop.compared import about_kills
from tests.interop.compared.cases import CASES, Case
from tests.interop.compared.differences import DIFFERENCES
from tests.interop.compared.numbers import NUMBERS
from tests.interop.compared.sides import Side, WorkerdProcess, our_server, workerd_server
from tests.interop.server_process import ServerProcess
from tests.interop.wire_json import dumps, loads

CASE_SECONDS = 60.0
CASES_AT_A_TIME = 8
# The first test starts four servers and waits for all cases; a busy machine takes its time.
pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one statement looked like on each side."""

    workerd: Any
    ours: Any


Outcomes = dict[int, Outcome]


@pytest.fixture(scope="module")
def outcomes(
    node_packages: None,  # noqa: ARG001 - installs them first
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> Outcomes:
    """What both have answered; of several test processes, one asks."""
    if worker_id == "master":
        return _answers()
    shared = tmp_path_factory.getbasetemp().parent / "compared.json"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            rows = [[number, seen.workerd, seen.ours] for number, seen in _answers().items()]
            shared.write_text(dumps(rows), "utf-8")
    return {
        number: Outcome(workerd=workerd, ours=ours)
        for number, workerd, ours in loads(shared.read_text("utf-8"))
    }


@pytest.mark.parametrize("number", NUMBERS)
def test_workerd_and_we_agree_on_statement(number: int, outcomes: Outcomes) -> None:
    outcome = outcomes[number]
    print(f"{number} | {dumps(outcome.workerd)} | {dumps(outcome.ours)}")  # noqa: T201 - the table
    assert (outcome.workerd == outcome.ours) is (number not in DIFFERENCES), (
        f"{number}: workerd {outcome.workerd!r}, ours {outcome.ours!r}"
    )


def test_differences_are_about_statements_that_are_compared() -> None:
    assert set(DIFFERENCES) <= set(NUMBERS)


def _answers() -> Outcomes:
    with workerd_server() as workerd, our_server() as ours:
        seen = asyncio.run(_first(workerd, ours))
        for process in (workerd, ours):
            process.kill()
            process.start()
        return seen | asyncio.run(_second(workerd, ours))


async def _first(workerd: WorkerdProcess, ours: ServerProcess) -> Outcomes:
    numbers = list(CASES)
    turns = asyncio.Semaphore(CASES_AT_A_TIME)
    async with _client() as client:
        sides = _sides(workerd, ours, client)
        rows = await asyncio.gather(
            *(asyncio.gather(*(_seen(CASES[n], side, turns) for n in numbers)) for side in sides)
        )
        await asyncio.gather(*(about_kills.before(side) for side in sides))
    return {
        number: Outcome(workerd=theirs, ours=mine)
        for number, theirs, mine in zip(numbers, *rows, strict=True)
    }


async def _second(workerd: WorkerdProcess, ours: ServerProcess) -> Outcomes:
    async with _client() as client:
        theirs, mine = [await about_kills.after(side) for side in _sides(workerd, ours, client)]
    return {number: Outcome(workerd=theirs[number], ours=mine[number]) for number in theirs}


def _client() -> httpx.AsyncClient:
    """A new connection for each request: an aborted object takes its connection along."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(timeout=60.0, limits=limits)


def _sides(
    workerd: WorkerdProcess, ours: ServerProcess, client: httpx.AsyncClient
) -> tuple[Side, Side]:
    port = int(ours.url.rpartition(":")[2])
    return Side("workerd", workerd.port, client), Side("ours", port, client)


async def _seen(case: Case, side: Side, turns: asyncio.Semaphore) -> Any:
    """What a case saw, or what went wrong: one case's failure must not hide the others."""
    try:
        async with nullcontext() if case.waits else turns, asyncio.timeout(CASE_SECONDS):
            return await case.drive(side)
    except Exception as error:  # noqa: BLE001 - it is what the case saw
        return f"{side.name} broke the case: {type(error).__name__}: {error}"
