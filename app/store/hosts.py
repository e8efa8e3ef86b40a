"""Several hosts in one URL, and which of them is the primary.

`postgresql://h1,h2:5433/db` names the members of one replicated Postgres. Each time a connection
is opened they are asked one after another, the one that took writes last first, until one accepts
that takes writes. A host that does not answer (its machine is off, and nobody says so) has a
head start and no more: the driver alone would wait for it until the whole attempt timed out.

A former primary that comes back, or only hung, takes writes too until somebody stops it. Each
promotion begins a new **timeline**, so of two that take writes the one of the later timeline is
right. All hosts are asked and compared at the first connection and whenever a statement had no
answer in time; and what is on an earlier timeline than was ever seen is not spoken to.

The shared `generation` grows with every change of the host that is used. A connection of an
earlier generation is not used again: what is read there is not what was last committed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from asyncpg import TargetServerAttributeNotMatched
from asyncpg.connect_utils import SessionAttribute

from ..core.errors import ConfigurationInvalid

HEAD_START_SECONDS: Final = 0.5
"""How long one host is waited for before the next one is asked as well."""
DEFAULT_PORT: Final = 5432
COMPARE_SECONDS: Final = 1.0
"""When all are compared: how long the others are waited for after the first that accepts."""
_LARGEST_PORT: Final = 65_535
_TAKES_WRITES: Final = (SessionAttribute.primary, SessionAttribute.read_write)


class Closable(Protocol):
    """What is opened at a host."""

    def terminate(self) -> None:
        """Drop it at once."""
        ...


Opened = TypeVar("Opened", bound=Closable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One host: a name or an address, or the folder of a socket; and the port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[Opened]):
    """A host that takes writes.

    Attributes:
        opened: The connection to it.
        cluster: Which cluster it is a copy of; None when it does not tell.
        timeline: How often that cluster has been failed over when it was promoted.
    """

    opened: Opened
    cluster: int | None = None
    timeline: int = 0


class Hosts:
    """The hosts of one URL; shared by all connections that are opened with it.

    Args:
        places: In the order of the URL; none when the URL has fewer than two.
    """

    def __init__(self, places: Sequence[Place] = ()) -> None:
        self._order = list(dict.fromkeys(places))
        self._certain = False
        self._timelines: dict[int | None, int] = {}
        self.generation = 0

    def __len__(self) -> int:
        return len(self._order)

    def doubt(self) -> None:
        """A statement had no answer in time: compare all hosts before the next connection."""
        self._certain = False

    async def open(self, open_at: Callable[[Place], Awaitable[Answer[Opened]]]) -> Opened:
        """Open a connection at the primary.

        Cancelling is safe: whatever is half open is dropped.

        Args:
            open_at: Connects to a host, or raises because it cannot be reached, refuses us or
                takes no writes.

        Raises:
            Exception: What the host that was asked first has raised, when none is any good.
        """
        race = _Race(open_at, self._check, compare=not self._certain)
        order = tuple(self._order)
        answers = await race.run(order)
        if not answers:
            raise race.failures[order[0]]
        place, best = max(answers.items(), key=lambda item: item[1].timeline)
        for answer in answers.values():
            if answer is not best:
                answer.opened.terminate()
        self._use(place, best)
        return best.opened

    def _check(self, answer: Answer[Opened]) -> None:
        if answer.timeline < self._timelines.get(answer.cluster, 0):
            raise TargetServerAttributeNotMatched("it was the primary before a failover")

    def _use(self, place: Place, answer: Answer[Opened]) -> None:
        self._certain = True
        self._timelines[answer.cluster] = answer.timeline
        if self._order[0] != place:
            self._order.remove(place)
            self._order.insert(0, place)
            self.generation += 1


class _Race(Generic[Opened]):
    """Attempts at all hosts; those that are not done soon after the first success are ended."""

    def __init__(
        self,
        open_at: Callable[[Place], Awaitable[Answer[Opened]]],
        check: Callable[[Answer[Opened]], None],
        *,
        compare: bool,
    ) -> None:
        self._open_at = open_at
        self._check = check
        self._head_start = 0.0 if compare else HEAD_START_SECONDS
        self._patience = COMPARE_SECONDS if compare else 0.0
        self._running: list[asyncio.Task[None]] = []
        self._answers: dict[Place, Answer[Opened]] = {}
        self.failures: dict[Place, Exception] = {}

    async def run(self, places: Sequence[Place]) -> dict[Place, Answer[Opened]]:
        """Return those that answered well; why the others did not is in `failures`."""
        try:
            async with asyncio.TaskGroup() as attempts:
                former: asyncio.Task[None] | None = None
                for number, place in enumerate(places):
                    attempt = self._attempt(place, former, number * self._head_start)
                    former = attempts.create_task(attempt)
                    self._running.append(former)
        except BaseException:
            for answer in self._answers.values():
                answer.opened.terminate()
            raise
        return self._answers

    async def _attempt(
        self, place: Place, former: "asyncio.Task[None] | None", seconds: float
    ) -> None:
        """Ask one host, when the attempt before has ended or has had its time."""
        if former is not None:
            await asyncio.wait((former,), timeout=seconds)
        try:
            answer = await self._open_at(place)
        except Exception as error:  # noqa: BLE001 - kept, and raised when no host was any better
            self.failures[place] = error
            return
        try:
            self._check(answer)
        except TargetServerAttributeNotMatched as error:
            answer.opened.terminate()
            self.failures[place] = error
            return
        self._answers[place] = answer
        asyncio.get_running_loop().call_later(self._patience, self._end)

    def _end(self) -> None:
        for attempt in self._running:
            attempt.cancel()


def hosts_of(dsn: str) -> Hosts:
    """The hosts of a URL: before the path, or as `?host=a,b&port=1,2`.

    Raises:
        ConfigurationInvalid: A list of hosts that cannot be read. The text does not quote it.
    """
    try:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        listed = parts.netloc.rpartition("@")[2] or query.get("host", [""])[-1]
        hosts = listed.split(",")
        if len(hosts) < 2:  # noqa: PLR2004 - one is left to the driver, with its own defaults
            return Hosts()
        ports = query.get("port", [""])[-1].split(",")
        if len(ports) == 1:
            ports *= len(hosts)
        return Hosts(list(_places(hosts, ports)))
    except ValueError as error:
        raise ConfigurationInvalid(
            "the hosts of the database URL cannot be read; they are like h1:5432,h2:5432"
        ) from error


def role_of(dsn: str) -> SessionAttribute | None:
    """What the URL says a server must be (`target_session_attrs`), or None.

    Raises:
        ConfigurationInvalid: It asks for a host that takes no writes.
    """
    asked = parse_qs(urlsplit(dsn).query).get("target_session_attrs", [None])[-1]
    if asked is None or asked == "any":
        return None
    if asked not in _TAKES_WRITES:
        raise ConfigurationInvalid(
            "target_session_attrs of the database URL must be read-write, primary or any: "
            "every connection writes"
        )
    return SessionAttribute(asked)


def _places(hosts: Sequence[str], ports: Sequence[str]) -> Iterator[Place]:
    for host, port in zip(hosts, ports, strict=True):
        name = unquote(host)
        if name.startswith("["):
            name, _, own_port = name[1:].partition("]")
            own_port = own_port.removeprefix(":")
        elif name.startswith("/"):
            own_port = ""
        else:
            name, _, own_port = name.partition(":")
        number = int(own_port or port or DEFAULT_PORT)
        if not name or not 0 < number <= _LARGEST_PORT:
            raise ValueError
        yield Place(host=name, port=number)
