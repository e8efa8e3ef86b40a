"""Those who use ledgers: callers append, setters set alarms, readers read, listeners are told.

Each goes to any node, gives up on an answer after a while, and goes on. What they were told is
logged; what nobody heard the end of is not asked again.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection

from app.core.clock import SystemClock
from tests.cluster.alarm_runs import SET
from tests.cluster.clients import GONE, connection
from tests.cluster.ledger_history import Append, LedgerHistory, Line, Reading, Receipt
from tests.interop.wire_json import Json

NAMESPACE = "ledger"
VIA = "via-"
"""How operations are named that come by way of another ledger."""
RECEIPT = "stateroom-receipt"
ANSWER_SECONDS = 6.0
CONNECT_SECONDS = 2.0
CLOSE_SECONDS = 2.0
PAUSE_SECONDS = 0.05
ALARM_PAUSE_SECONDS = 0.6
ASKING_SECONDS = 0.1
RELAY_PAUSE_SECONDS = 1.0
SELDOM_SECONDS = 5.0
LONGEST_ALARM_MS = 700
PATIENCE_SECONDS = 6.0
LONGEST_VISIT_SECONDS = 12.0
_OK = 200
_LOOKING_BACK = 3


class Callers:
    """All that use the ledgers of one round.

    Args:
        urls: The nodes' addresses as they are now, for HTTP.
        history: Where everything is logged.
        numbers: Gives operations and sockets numbers of their own.
        chance: Decides where a call goes.
    """

    def __init__(
        self,
        urls: Callable[[], Sequence[str]],
        history: LedgerHistory,
        numbers: Callable[[], int],
        chance: random.Random,
    ) -> None:
        self.refused: dict[str, int] = {}
        """How calls ended that were not answered well, and how often."""
        self._urls = urls
        self._history = history
        self._numbers = numbers
        self._chance = chance
        self._clock = SystemClock()
        self._over = asyncio.Event()

    def come(self, tasks: asyncio.TaskGroup, ledgers: Sequence[str]) -> list[asyncio.Task[None]]:
        """Send two callers and one of each other kind to each ledger; they end by `leave`.

        The last ledger gets one caller alone, who comes so seldom that it may be evicted meanwhile.
        Each is also written to by way of a ledger of its own, which waits for it.
        """
        kinds = (self._call, self._call, self._set, self._read, self._listen)
        working = [tasks.create_task(work(name)) for name in ledgers[:-1] for work in kinds]
        working += [tasks.create_task(self._relay(source_of(name), name)) for name in ledgers]
        return [*working, tasks.create_task(self._call_seldom(ledgers[-1]))]

    def leave(self) -> None:
        """Let everybody go after what is under way."""
        self._over.set()

    async def append(self, client: httpx.AsyncClient, url: str, ledger: str) -> bool:
        """Append an operation of a new name; returns whether it was acknowledged."""
        return await self._post(client, address(url, ledger), ledger, f"op-{self._numbers()}")

    async def set_alarm(self, client: httpx.AsyncClient, url: str, ledger: str) -> bool:
        """Ask for a run; returns whether that was acknowledged."""
        after_ms = self._chance.randrange(LONGEST_ALARM_MS)
        place = f"{address(url, ledger)}/alarm?after={after_ms}"
        return await self._post(client, place, ledger, f"{SET}{self._numbers()}")

    async def relay(self, client: httpx.AsyncClient, url: str, ledger: str, to: str) -> bool:
        """Append to a ledger by way of another one; returns whether that was acknowledged."""
        operation = f"{VIA}{self._numbers()}"
        place = f"{address(url, ledger)}/relay?to={to}"
        answer = await self._posted(client, place, to, operation)
        if answer is not None:
            self._history.delivered(to, (answer.json()["place"], operation))
        return answer is not None

    async def _post(
        self, client: httpx.AsyncClient, place: str, ledger: str, operation: str
    ) -> bool:
        answer = await self._posted(client, place, ledger, operation)
        if answer is None:
            return False
        body: Json = answer.json()
        receipt = Receipt.parse(answer.headers[RECEIPT], body["process"])
        self._history.appended(ledger, Append(body["place"], operation, receipt))
        return True

    async def _posted(
        self, client: httpx.AsyncClient, place: str, ledger: str, operation: str
    ) -> httpx.Response | None:
        self._history.began(ledger, operation)
        try:
            return await self._answered(client.post(place, content=operation))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            self._history.never_sent(ledger, operation)
            await self._pause()
            return None

    async def read(self, client: httpx.AsyncClient, url: str, ledger: str) -> bool:
        """Read the newest lines; returns whether there was an answer."""
        reading: Reading = self._history.begin_read(ledger)
        after = max(0, reading.newest - _LOOKING_BACK)
        try:
            answer = await self._answered(client.get(f"{address(url, ledger)}/?after={after}"))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return False
        if answer is None:
            return False
        receipt = Receipt.parse(answer.headers[RECEIPT], answer.json()["process"])
        self._history.has_read(reading, after, lines_of(answer), receipt)
        return True

    async def _call(self, ledger: str) -> None:
        async with client() as http:
            while not self._over.is_set():
                await self.append(http, self._anywhere(), ledger)
                await self._pause()

    async def _call_seldom(self, ledger: str) -> None:
        async with client() as http:
            while not self._over.is_set():
                await self.append(http, self._anywhere(), ledger)
                await self.set_alarm(http, self._anywhere(), ledger)
                with suppress(TimeoutError):
                    async with asyncio.timeout(SELDOM_SECONDS):
                        await self._over.wait()

    async def _relay(self, source: str, ledger: str) -> None:
        async with client() as http:
            while not self._over.is_set():
                await self.relay(http, self._anywhere(), source, ledger)
                await self._clock.sleep(self._chance.uniform(0, RELAY_PAUSE_SECONDS))

    async def _set(self, ledger: str) -> None:
        async with client() as http:
            while not self._over.is_set():
                await self.set_alarm(http, self._anywhere(), ledger)
                await self._clock.sleep(self._chance.uniform(0, ALARM_PAUSE_SECONDS))

    async def _read(self, ledger: str) -> None:
        async with client() as http:
            while not self._over.is_set():
                await self.read(http, self._anywhere(), ledger)
                await self._pause()

    async def _listen(self, ledger: str) -> None:
        while not self._over.is_set():
            url = address(self._anywhere().replace("http", "ws", 1), ledger)
            seconds = self._chance.uniform(1, LONGEST_VISIT_SECONDS)
            with suppress(*GONE):
                async with connection(url, close_seconds=CLOSE_SECONDS) as socket:
                    await self._hear(socket, ledger, ends_at=self._clock.monotonic() + seconds)
            await self._pause()

    async def _hear(self, socket: ClientConnection, ledger: str, *, ends_at: float) -> None:
        """Be told lines, and ask for the length without waiting for one answer after the other."""
        listener = f"listener-{self._numbers()}"
        asked: dict[str, Reading] = {}
        asking = asyncio.get_running_loop().create_task(self._ask(socket, ledger, asked))
        try:
            while not self._over.is_set() and self._clock.monotonic() < ends_at:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    told = str(await socket.recv())
                question, answer, length = told.partition(" = ")
                if answer:
                    self._history.has_heard(asked.pop(question), int(length))
                else:
                    place, _, operation = told.partition(" ")
                    self._history.pushed(listener, ledger, (int(place), operation))
        finally:
            asking.cancel()
            await asyncio.wait([asking])

    async def _ask(self, socket: ClientConnection, ledger: str, asked: dict[str, Reading]) -> None:
        with suppress(*GONE):
            while True:
                question = f"question-{self._numbers()}"
                asked[question] = self._history.begin_read(ledger)
                await socket.send(question)
                await self._clock.sleep(self._chance.uniform(0, 2 * ASKING_SECONDS))

    async def _answered(self, call: Coroutine[Any, Any, httpx.Response]) -> httpx.Response | None:
        """The answer, or None when there is none that says it was done.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: Nothing was sent.
        """
        try:
            answer = await call
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._count(type(error).__name__)
            raise
        except httpx.HTTPError as error:
            self._count(type(error).__name__)
            return None
        if answer.status_code != _OK:
            body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            self._count(f"{answer.status_code} {body.get('code', '')}")
            return None
        return answer

    def _count(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def _anywhere(self) -> str:
        return self._chance.choice(self._urls())

    async def _pause(self) -> None:
        await self._clock.sleep(self._chance.uniform(0, 2 * PAUSE_SECONDS))


def client() -> httpx.AsyncClient:
    """A client that gives up, keeps no connection and reads no settings from around it."""
    return httpx.AsyncClient(
        trust_env=False,
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_keepalive_connections=4, keepalive_expiry=1.0),
    )


def source_of(ledger: str) -> str:
    """The ledger by way of which another one is written to."""
    return f"{ledger}-source"


def address(url: str, ledger: str) -> str:
    return f"{url}/objects/{NAMESPACE}/{ledger}"


def lines_of(answer: httpx.Response) -> list[Line]:
    return [(place, operation) for place, operation in answer.json()["lines"]]
