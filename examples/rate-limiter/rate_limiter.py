"""A rate limiter: one object a user, a bucket of tokens in each."""

from collections.abc import Mapping

from stateroom import DurableObject, Request, Response


class RateLimiter(DurableObject):
    """Mounted as `limiter=rate_limiter:RateLimiter?burst=5&per_second=1`."""

    @classmethod
    def check_settings(cls, settings: Mapping[str, str]) -> str | None:
        try:
            good = (
                int(settings.get("burst", "5")) > 0 and float(settings.get("per_second", "1")) > 0
            )
        except ValueError:
            good = False
        return None if good else "burst and per_second are numbers above 0"

    async def on_start(self) -> None:
        self.burst = int(self.ctx.settings.get("burst", "5"))
        self.per_second = float(self.ctx.settings.get("per_second", "1"))
        bucket: tuple[float, int] = await self.ctx.storage.get(
            "bucket", (float(self.burst), self.ctx.now())
        )
        self.tokens, self.at_ms = bucket

    async def take(self, count: int = 1) -> float:
        """Take tokens. Returns 0.0, or the seconds to wait before there are so many."""
        now = self.ctx.now()
        grown = (now - self.at_ms) / 1000 * self.per_second
        self.tokens, self.at_ms = min(float(self.burst), self.tokens + grown), now
        if self.tokens < count:
            return (count - self.tokens) / self.per_second
        self.tokens -= count
        # A crash may give a token back: no reason to let the caller wait for the commit.
        self.ctx.storage.put("bucket", (self.tokens, self.at_ms), allow_unconfirmed=True)
        return 0.0

    async def on_request(self, request: Request) -> Response:
        wait = await self.take()
        if wait == 0.0:
            return Response(status=204)
        return Response(status=429, headers={"retry-after": str(int(wait) + 1)})
