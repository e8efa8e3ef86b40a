"""An object class for tests that kill the process in the middle of an answer."""

import asyncio
import os
from collections.abc import AsyncIterator

from stateroom import DurableObject, Request, Response


class Feed(DurableObject):
    """`GET /feed` never ends; anything else says which process holds the object."""

    def on_request(self, request: Request) -> Response:
        return Response(body=self.feed() if request.path == "/feed" else str(os.getpid()))

    async def feed(self) -> AsyncIterator[str]:
        yield f"{os.getpid()}\n"
        await asyncio.Event().wait()
