"""One object does its worst; the others of its worker go on."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from app.core.codec import parse_json
from app.core.tasks import TaskOwner

from .conftest import StartService
from .objects import CLASSES
from .patience import until
from .poison import POISONS, Poison
from .running_service import RunningService, ServerKind
from .wire_socket import SWITCHING, WireSocket, exchange, request_text

Attack = Callable[[int, str, str], None]

ATTACKERS = 4
VICTIMS = 8
QUESTIONS = 10
ANSWER_SECONDS = 10.0
"""A healthy object needs a fraction of it; a machine with other things to do takes longer."""


@pytest.fixture(scope="module")
def service(start_service: StartService) -> RunningService:
    return start_service(
        ServerKind.DIRECT,
        CLASSES | POISONS,
        event_timeout_seconds=1.0,
        mailbox_events=50,
        shutdown_seconds=5.0,
    )


@pytest.fixture(scope="module")
def leaving_service(start_service: StartService) -> RunningService:
    return start_service(ServerKind.DIRECT, CLASSES | POISONS)


class Attacker:
    """A client that asks an object for its worst, over and over."""

    def __init__(self, port: int, target: str, message: str) -> None:
        self._port = port
        self._target = target
        self._message = message

    async def attack(self) -> None:
        """Come back whenever it is thrown out."""
        while True:
            wire = await WireSocket.open(self._port, self._target)
            if wire.status != SWITCHING:
                await wire.close()
                continue
            try:
                await wire.say(*[self._message] * 20)
                async with asyncio.timeout(5):
                    await wire.closed()
            except (TimeoutError, OSError, asyncio.IncompleteReadError):
                continue
            finally:
                await wire.close()


async def ask_the_healthy(port: int, name: str) -> list[int]:
    """Ask a durable counter so many times; each answer has its bound."""
    counts = []
    for _ in range(QUESTIONS):
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await exchange(port, request_text("POST", f"/objects/counter/{name}"))
        assert answer.status == 200
        counts.append(parse_json(answer.body)["count"])
    return counts


@pytest.fixture
async def attack() -> AsyncIterator[Attack]:
    """Starts clients that ask an object for its worst."""
    tasks = TaskOwner("attackers")

    def start(port: int, target: str, message: str) -> None:
        for _ in range(ATTACKERS):
            tasks.start(Attacker(port, target, message).attack(), name=target)

    Poison.over = False
    yield start
    Poison.over = True
    await tasks.close()


@pytest.mark.parametrize("message", ["go", "commit"])
@pytest.mark.parametrize("poison", POISONS)
async def test_the_others_go_on(
    service: RunningService, name: str, poison: str, message: str, attack: Attack
) -> None:
    deeds = POISONS[poison].__name__
    before = Poison.deeds[deeds]
    attack(service.port, f"/objects/{poison}/{name}", message)

    async def at_work() -> bool:
        return Poison.deeds[deeds] > before

    await until(at_work)
    begun = Poison.deeds[deeds]
    victims = [ask_the_healthy(service.port, f"{name}-{number}") for number in range(VICTIMS)]
    for counts in await asyncio.gather(*victims):
        assert counts == list(range(1, QUESTIONS + 1))
    rooms = await WireSocket.open(service.port, f"/{name}/room")
    await rooms.say('S\n["q",1,""]')
    assert await rooms.read_message()

    async def still_at_work() -> bool:
        return Poison.deeds[deeds] > begun

    await until(still_at_work)


async def test_a_drain_ends_at_its_deadline_whatever_an_object_does(
    leaving_service: RunningService, name: str
) -> None:
    service = leaving_service
    mover = service.service.mover
    assert mover is not None
    waiting = await WireSocket.open(service.port, f"/objects/never-returns/{name}")
    eating = await WireSocket.open(service.port, f"/objects/eater/{name}")
    healthy = await WireSocket.open(service.port, f"/objects/speaker/{name}")
    await waiting.say("go")
    await eating.say("go")
    await healthy.say("hello")
    assert await healthy.read_message() == "hello"
    await service.do(lambda: mover.leave(deadline_seconds=1.0))
    assert await healthy.closed() == (1012, "service restart")
    assert await waiting.closed() == (1012, "worker_leaving")
    assert await eating.closed() == (1012, "worker_leaving")

    async def rooms() -> int:
        return len(service.registry)

    assert await service.do(rooms) == 0
