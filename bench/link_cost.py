"""`python -m bench.link_cost`: what it costs when a client's socket is at the wrong worker.

One room, two workers. Clients at the worker that holds the room and clients at the other one do
the same, in turns: questions one after the other (the time until the answer), questions in a
stream (processor time a question), and a writer's changes that go to a crowd (processor time a
delivery). Processor time is that of both workers together. Medians over the turns, and the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from websockets.asyncio.client import ClientConnection, connect

from tests.cluster.crew import WORKERS, Crew
from tests.cluster.server import ServerProcess

ROOM = "measured"
QUESTION = 'S\n["q",1,""]'
OWNER, OTHER = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much of everything in one turn."""

    turns: int
    questions: int
    window: int
    crowd: int
    changes: int


@dataclass(slots=True)
class Place:
    """Clients at one of the workers, and what was measured with them."""

    client: ClientConnection
    crowd: list[ClientConnection]
    latency_us: list[float] = field(default_factory=list)
    question_us: list[float] = field(default_factory=list)
    delivery_us: list[float] = field(default_factory=list)


def cpu_seconds(crew: Crew) -> float:
    """Processor time of both workers so far."""
    times = [crew[slot].cpu_times() for slot in (OWNER, OTHER)]
    return float(sum(each.user + each.system for each in times))


async def latency_us(client: ClientConnection, count: int) -> float:
    """The median time until an answer."""
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        await client.send(QUESTION)
        await client.recv()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1e6


async def question_us(crew: Crew, client: ClientConnection, effort: Effort) -> float:
    """Processor time of a question among many."""
    before, count = cpu_seconds(crew), effort.questions
    for number in range(count):
        await client.send(QUESTION)
        if number >= effort.window:
            await client.recv()
    for _ in range(min(effort.window, count)):
        await client.recv()
    return (cpu_seconds(crew) - before) / count * 1e6


async def delivery_us(
    crew: Crew, writer: ClientConnection, crowd: list[ClientConnection], changes: int
) -> float:
    """Processor time of one delivery of a small message to a crowd; it is relayed, not kept."""
    before = cpu_seconds(crew)
    for number in range(changes):
        await writer.send(f'\n["{number}",4,{{}}]')
        await asyncio.gather(*(client.recv() for client in crowd))
        await writer.recv()  # the replica's own answer
    return (cpu_seconds(crew) - before) / (changes * len(crowd)) * 1e6


async def measure(crew: Crew, effort: Effort, progress: Progress) -> dict[str, Place]:
    """Measure both places in turns."""
    async with AsyncExitStack() as stack:

        async def joined(slot: int) -> ClientConnection:
            address = f"{crew.url}/{ROOM}"
            made = connect(address, sock=crew.connect(slot), compression=None, proxy=None)
            client = await stack.enter_async_context(made)
            await client.send(QUESTION)
            await client.recv()
            return client

        places = {"local": Place(await joined(OWNER), []), "link": Place(await joined(OTHER), [])}
        task = progress.add_task("turns", total=effort.turns)
        for _ in range(effort.turns):
            for place in places.values():
                place.latency_us.append(await latency_us(place.client, effort.questions // 10))
                place.question_us.append(await question_us(crew, place.client, effort))
            progress.advance(task)
    for name, slot in (("local", OWNER), ("link", OTHER)):
        await crowded(crew, slot, places[name], effort, progress)
    return places


async def crowded(crew: Crew, slot: int, place: Place, effort: Effort, progress: Progress) -> None:
    """Measure deliveries to a crowd at one worker; nobody else is in the room."""
    async with AsyncExitStack() as stack:
        address = f"{crew.url}/{ROOM}"

        async def joined(at: int) -> ClientConnection:
            made = connect(address, sock=crew.connect(at), compression=None, proxy=None)
            client = await stack.enter_async_context(made)
            await client.send(QUESTION)
            await client.recv()
            return client

        task = progress.add_task(f"a crowd at worker {slot}", total=effort.crowd + effort.turns)
        writer, crowd = await joined(OWNER), []
        for _ in range(effort.crowd):
            crowd.append(await joined(slot))
            progress.advance(task)
        for _ in range(effort.turns):
            place.delivery_us.append(await delivery_us(crew, writer, crowd, effort.changes))
            progress.advance(task)


def table_of(places: dict[str, Place]) -> Table:
    """The medians side by side."""
    table = Table("", "local", "over a link", "ratio", title="A socket at the wrong worker")
    rows = {
        "answer, µs": [place.latency_us for place in places.values()],
        "a question, µs of processor": [place.question_us for place in places.values()],
        "a delivery to a crowd, µs of processor": [place.delivery_us for place in places.values()],
    }
    for name, (local, link) in rows.items():
        one, other = statistics.median(local), statistics.median(link)
        table.add_row(name, f"{one:.1f}", f"{other:.1f}", f"{other / one:.2f}")
    return table


async def run(effort: Effort) -> None:
    """Start a server, measure, print."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="stateroom-links-") as name, Progress() as progress:
        folder = Path(name)
        folder.chmod(0o711)  # noqa: ASYNC240 - nothing else runs yet
        server = ServerProcess(
            folder, STATEROOM_LEASE_SECONDS="60", STATEROOM_HANDOFF="false", **WORKERS
        )
        try:
            await server.start()
            places = await measure(Crew.of(server), effort, progress)
        finally:
            await server.close()
    console.print(table_of(places))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.link_cost", description=__doc__)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--questions", type=int, default=3_000)
    parser.add_argument("--crowd", type=int, default=200)
    parser.add_argument("--changes", type=int, default=100)
    given = parser.parse_args()
    effort = Effort(
        turns=given.turns,
        questions=given.questions,
        window=50,
        crowd=given.crowd,
        changes=given.changes,
    )
    asyncio.run(run(effort))


if __name__ == "__main__":
    main()
