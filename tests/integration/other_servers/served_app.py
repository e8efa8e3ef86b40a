"""What the other servers are given: the application alone, and mounted in somebody else's.

The database stands in the environment, as everywhere.
"""

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from app.main import create_app
from app.sdk import Connection, DurableObject, Request, Response


class Echo(DurableObject):
    """Says back what it hears, and closes when it is asked to."""

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if message == "close":
            connection.close(4321, "as asked")
        else:
            self.ctx.storage.put("last", message)
            connection.send(message)

    async def on_request(self, request: Request) -> Response:
        last = await self.ctx.storage.get("last", "")
        return Response(body=f"{request.path} {last}", cookies=["a=1", "b=2"])


alone = create_app(namespaces={"echo": Echo})


def _page(_request: HttpRequest) -> PlainTextResponse:
    return PlainTextResponse("somebody else's")


mounted = Starlette(
    routes=[Route("/page", _page), Mount("/my rooms", alone)], lifespan=alone.lifespan
)
