import asyncio
import importlib

import pytest

from app.cluster.namespaces import make_mount
from app.core.errors import ConfigurationInvalid
from app.sdk import Request
from app.testing.harness import ObjectHarness

RateLimiter = importlib.import_module("examples.rate-limiter.rate_limiter").RateLimiter
MOUNTED = {"limiter": make_mount("limiter", RateLimiter, {"burst": "3", "per_second": "2"})}


async def test_of_many_callers_at_once_just_as_many_get_through_as_there_are_tokens() -> None:
    async with ObjectHarness(MOUNTED) as harness:
        limiter = harness.stub("limiter", "alice")
        asking = [asyncio.ensure_future(limiter.take()) for _ in range(10)]  # noqa: TID251 - the test owns them
        await harness.settle()
        assert [asked.result() for asked in asking] == [0.0] * 3 + [0.5] * 7


async def test_tokens_grow_with_time_and_never_over_the_burst() -> None:
    async with ObjectHarness(MOUNTED) as harness:
        limiter = harness.stub("limiter", "alice")
        assert await limiter.take(3) == 0.0
        await harness.advance(0.5)
        assert await limiter.take() == 0.0
        await harness.advance(60)
        assert await limiter.take(3) == 0.0
        assert await limiter.take() == 0.5


async def test_an_empty_bucket_is_empty_still_in_another_life() -> None:
    async with ObjectHarness(MOUNTED) as first:
        assert await first.stub("limiter", "alice").take(3) == 0.0
        await first.settle()
    async with ObjectHarness(MOUNTED, database=first.database, clock=first.clock) as second:
        assert await second.stub("limiter", "alice").take() > 0.0
        assert await second.stub("limiter", "bob").take() == 0.0


async def test_by_http_too_many_requests_are_told_when_to_come_back() -> None:
    async with ObjectHarness(MOUNTED) as harness:
        statuses = [await harness.request("limiter", "alice", Request()) for _ in range(4)]
        assert [answer.status for answer in statuses] == [204, 204, 204, 429]
        assert statuses[-1].headers["retry-after"] == "1"


@pytest.mark.parametrize("wrong", [{"burst": "0"}, {"burst": "x"}, {"per_second": "-1"}])
def test_wrong_options_are_refused_at_start_up(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationInvalid, match="above 0"):
        make_mount("limiter", RateLimiter, wrong)
