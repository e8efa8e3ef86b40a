"""Several hosts in one URL: how they are read, and which of them is spoken to."""

import asyncio

import pytest
from asyncpg.connect_utils import SessionAttribute

from app.core.errors import ConfigurationInvalid
from app.store import hosts as module
from app.store.driver import ConnectTarget, Pooler
from app.store.hosts import Answer, Hosts, Place, hosts_of

ONE, TWO, THREE = (Place(host=f"h{number}", port=5432) for number in (1, 2, 3))


class Opened:
    """What stands for a connection."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.terminated = False

    def terminate(self) -> None:
        self.terminated = True


class Servers:
    """Which hosts answer, and how; one that is in neither set never says a word."""

    def __init__(self, *refusing: Place, **timelines: int) -> None:
        self.timelines = {Place(host=host, port=5432): n for host, n in timelines.items()}
        self.refusing = refusing
        self.asked: list[Place] = []
        self.opened: list[Opened] = []

    async def open_at(self, place: Place) -> Answer[Opened]:
        self.asked.append(place)
        if place in self.timelines:
            self.opened.append(Opened(place))
            return Answer(opened=self.opened[-1], cluster=7, timeline=self.timelines[place])
        if place in self.refusing:
            raise ConnectionRefusedError(place.host)
        await asyncio.Event().wait()
        raise AssertionError


def read(url: str) -> list[tuple[str, int]]:
    return [(place.host, place.port) for place in hosts_of(url)._order]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h1:5433,h2/db", [("h1", 5433), ("h2", 5432)]),
        (
            "postgresql://u:p%2C@h1,h2,h3:1/db?sslmode=require",
            [("h1", 5432), ("h2", 5432), ("h3", 1)],
        ),
        ("postgresql://u:p@[::1]:5433,[::2]/db", [("::1", 5433), ("::2", 5432)]),
        ("postgresql://u@/db?host=/run/a,/run/b", [("/run/a", 5432), ("/run/b", 5432)]),
        ("postgresql://u@/db?host=%2Fa,%2Fb&port=1,2", [("/a", 1), ("/b", 2)]),
        ("postgresql://u@%2Fa,%2Fb/db?port=7", [("/a", 7), ("/b", 7)]),
        ("postgresql://u:p,q@h1:5433/db", []),
        ("postgresql://u@/db?host=/run/a", []),
        ("postgresql:///db", []),
    ],
)
def test_hosts_are_read_from_every_spelling_and_one_is_left_to_the_driver(
    url: str, expected: list[tuple[str, int]]
) -> None:
    assert read(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@h1,/db",
        "postgresql://u:secret@h1:x,h2/db",
        "postgresql://u:secret@h1:0,h2:70000/db",
        "postgresql://u:secret@/db?host=h1,h2,h3&port=1,2",
    ],
)
def test_hosts_that_cannot_be_read_are_refused_without_quoting_them(url: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        ConnectTarget.from_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "pooler", "role"),
    [
        ("postgresql://h1,h2/db", Pooler.NONE, "read-write"),
        ("postgresql://h1,h2/db", Pooler.TRANSACTION, "read-write"),
        ("postgresql://h1,h2/db?target_session_attrs=any", Pooler.NONE, "read-write"),
        ("postgresql://h1,h2/db?target_session_attrs=primary", Pooler.NONE, "primary"),
        ("postgresql://h1/db", Pooler.NONE, "read-write"),
        ("postgresql://h1/db", Pooler.TRANSACTION, None),
        ("postgresql://h1/db?target_session_attrs=read-write", Pooler.TRANSACTION, "read-write"),
    ],
)
def test_only_a_server_that_takes_writes_will_do(
    url: str, pooler: Pooler, role: str | None
) -> None:
    wanted = None if role is None else SessionAttribute(role)
    assert ConnectTarget.from_url(url, pooler=pooler).role == wanted


@pytest.mark.parametrize("role", ["standby", "read-only", "prefer-standby", "nonsense"])
def test_a_url_that_asks_for_a_standby_is_refused(role: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="target_session_attrs"):
        ConnectTarget.from_url(f"postgresql://h1,h2/db?target_session_attrs={role}")


async def known(hosts: Hosts, servers: Servers) -> None:
    """Let the hosts have been compared."""
    await hosts.open(servers.open_at)
    servers.asked.clear()


async def test_the_host_that_took_writes_is_asked_first_and_alone_from_then_on() -> None:
    hosts = Hosts([ONE, TWO, THREE])
    servers = Servers(ONE, THREE, h2=1)
    assert (await hosts.open(servers.open_at)).place == TWO
    assert sorted(place.host for place in servers.asked) == ["h1", "h2", "h3"]
    servers.asked.clear()
    assert (await hosts.open(servers.open_at)).place == TWO
    assert servers.asked == [TWO]


async def test_when_it_is_gone_the_others_are_asked_and_a_new_generation_begins() -> None:
    hosts = Hosts([ONE, TWO])
    await known(hosts, Servers(TWO, h1=1))
    assert hosts.generation == 0
    for _ in range(2):
        assert (await hosts.open(Servers(ONE, h2=2).open_at)).place == TWO
        assert hosts.generation == 1


async def test_a_host_that_says_nothing_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_START_SECONDS", 0.001)
    monkeypatch.setattr(module, "COMPARE_SECONDS", 0.001)
    hosts = Hosts([ONE, TWO, THREE])
    await known(hosts, Servers(h3=1))
    servers = Servers(h3=1)
    assert (await hosts.open(servers.open_at)).place == THREE
    assert servers.asked == [THREE]
    assert (await hosts.open(Servers(h2=2).open_at)).place == TWO


@pytest.mark.parametrize("former_first", [True, False])
async def test_of_two_that_take_writes_the_one_promoted_later_is_right(
    *, former_first: bool
) -> None:
    hosts = Hosts([ONE, TWO] if former_first else [TWO, ONE])
    servers = Servers(h1=1, h2=2)
    assert (await hosts.open(servers.open_at)).place == TWO
    assert {one.place: one.terminated for one in servers.opened} == {ONE: True, TWO: False}


async def test_a_former_primary_that_comes_back_is_never_spoken_to_again() -> None:
    hosts = Hosts([ONE, TWO])
    await known(hosts, Servers(ONE, h2=2))
    servers = Servers(TWO, h1=1)
    with pytest.raises(ConnectionRefusedError, match="h2"):
        await hosts.open(servers.open_at)
    assert [one.terminated for one in servers.opened] == [True]
    # It became a standby of the new one, and was promoted in its turn.
    assert (await hosts.open(Servers(TWO, h1=3).open_at)).place == ONE


async def test_after_a_statement_without_an_answer_all_are_compared_again() -> None:
    hosts = Hosts([ONE, TWO])
    await known(hosts, Servers(TWO, h1=1))
    servers = Servers(h1=1, h2=2)
    assert (await hosts.open(servers.open_at)).place == ONE
    hosts.doubt()
    assert (await hosts.open(servers.open_at)).place == TWO


async def test_another_cluster_is_not_measured_by_the_timelines_of_the_first() -> None:
    hosts = Hosts([ONE, TWO])
    await known(hosts, Servers(TWO, h1=5))

    async def restored(place: Place) -> Answer[Opened]:
        return Answer(opened=Opened(place), cluster=8, timeline=1)

    assert (await hosts.open(restored)).place == ONE


async def test_a_host_that_stands_twice_is_asked_once() -> None:
    servers = Servers(h1=1)
    await Hosts([ONE, ONE]).open(servers.open_at)
    assert servers.asked == [ONE]


async def test_when_no_host_accepts_the_first_ones_reason_is_told() -> None:
    hosts = Hosts([ONE, TWO])
    with pytest.raises(ConnectionRefusedError, match="h1"):
        await hosts.open(Servers(ONE, TWO).open_at)


async def test_a_cancelled_attempt_leaves_nothing_open_or_running() -> None:
    hosts = Hosts([ONE, TWO])
    servers = Servers(h1=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await hosts.open(servers.open_at)
    assert [one.terminated for one in servers.opened] == [True]
    assert len(asyncio.all_tasks()) == 1
