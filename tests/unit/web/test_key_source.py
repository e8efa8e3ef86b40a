"""Keys that are fetched: when, how often, and what stays when they cannot be."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.core.errors import CredentialInvalid, JudgeUnavailable
from app.core.grants import Grant
from app.core.tasks import TaskOwner
from app.sdk import Request, Visit
from app.testing.clock import FakeClock
from app.web.jwt_judge import ClaimRules, JwtJudge
from app.web.key_source import STALE_SECONDS, KeySource

from .signers import NOW, document, ec_key, ed_key, public_entry, rsa_key, signed

_OLD = document(public_entry(rsa_key(), "RS256", "old"))
_BOTH = document(public_entry(rsa_key(), "RS256", "old"), public_entry(ed_key(), "EdDSA", "new"))
_NEW = document(public_entry(ed_key(), "EdDSA", "new"))


class Issuer:
    """An application that publishes its keys, unless it is away."""

    def __init__(self) -> None:
        self.told: bytes | None = _OLD
        self.asked = 0
        self.door = asyncio.Event()
        self.door.set()

    async def fetch(self) -> bytes:
        self.asked += 1
        await self.door.wait()
        if self.told is None:
            raise OSError("away")
        return self.told


class Bench:
    def __init__(self) -> None:
        self.issuer = Issuer()
        self.clock = FakeClock()
        self.tasks = TaskOwner("keys")
        self.source = KeySource(
            self.issuer.fetch, clock=self.clock, tasks=self.tasks, pause_seconds=30.0
        )
        self.judge = JwtJudge(self.source, ClaimRules(), now=lambda: NOW)

    async def grant(self, token: str) -> Grant:
        visit = Visit(namespace="tinybase", name="a", request=Request(), token=token)
        found = self.judge.judge(visit)
        return found if isinstance(found, Grant) else await found

    async def old(self) -> Grant:
        return await self.grant(signed(rsa_key(), "RS256", kid="old"))

    async def new(self) -> Grant:
        return await self.grant(signed(ed_key(), "EdDSA", kid="new"))

    async def refused(self) -> None:
        with pytest.raises(CredentialInvalid):
            await self.grant(signed(ec_key(), "ES256", kid="nobody's"))


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.tasks.close()


async def test_they_are_fetched_once_for_all_who_come_at_first(bench: Bench) -> None:
    bench.issuer.door.clear()
    waiting = asyncio.gather(*(bench.old() for _ in range(5)))
    while not bench.issuer.asked:
        await asyncio.wait([waiting], timeout=0)
    bench.issuer.door.set()
    assert [grant.subject for grant in await waiting] == ["alice"] * 5
    await bench.old()
    assert bench.issuer.asked == 1


async def test_an_unknown_key_id_asks_again_but_not_at_once(bench: Bench) -> None:
    await bench.old()
    for _ in range(10):
        await bench.refused()
    assert bench.issuer.asked == 1
    bench.issuer.told = _BOTH
    bench.clock.advance(30.0)
    assert (await bench.new()).subject == "alice"
    for _ in range(10):
        await bench.refused()
    assert bench.issuer.asked == 2


async def test_known_keys_go_on_when_the_issuer_is_away(bench: Bench) -> None:
    await bench.old()
    bench.issuer.told = None
    bench.clock.advance(STALE_SECONDS * 10)
    assert (await bench.old()).subject == "alice"
    await bench.refused()
    assert (await bench.old()).subject == "alice"
    assert bench.issuer.asked > 1


async def test_a_key_that_was_taken_away_ends(bench: Bench) -> None:
    await bench.old()
    bench.issuer.told = _NEW
    bench.clock.advance(STALE_SECONDS + 1)
    await bench.old()  # begins a fetch beside it
    await bench.tasks.join()
    with pytest.raises(CredentialInvalid):
        await bench.old()


async def test_without_any_keys_nothing_is_decided(bench: Bench) -> None:
    bench.issuer.told = None
    with pytest.raises(JudgeUnavailable):
        await bench.old()
    bench.issuer.told = b"<html>"
    bench.clock.advance(30.0)
    with pytest.raises(JudgeUnavailable):
        await bench.old()
    assert bench.issuer.asked == 2
