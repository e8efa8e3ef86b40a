"""What the scheduler of this example asks: it counts how often it was asked, each time once."""

from stateroom import DurableObject, Request, Response


class Report(DurableObject):
    async def on_request(self, request: Request) -> Response:
        storage = self.ctx.storage
        made: int = await storage.get("made", 0)
        if request.method == "POST":
            key = f"done:{request.headers.get('idempotency-key', '')}"
            if await storage.get(key) is None:  # a repetition counts once
                storage.put(key, True, expires_at=self.ctx.now() + 3_600_000)
                storage.put("made", made + 1)
        return Response.json({"made": made})
