"""An object class for the chaos tests: a list that only grows, and tells who wrote each line.

`POST` appends the operation named in the body and answers its place and the process that holds
the object; `GET /?after=N` reads the lines behind place N. A WebSocket is told every line that is
appended while it is open, and may ask for the length with any word, which comes back before the
answer. `POST /alarm?after=MS` appends too, and sets the alarm unless one is
set; a run of it writes a line when it begins, commits that, and writes another at its end.
`POST /relay?to=NAME` has another ledger append the operation, by a call from object to object.

Nothing is ever appended twice on purpose, and nothing is sorted out: a call that the server
repeats by itself shows as two lines with one name.
"""

import itertools
import os
import secrets
from typing import Any
from urllib.parse import parse_qs

from app.core.clock import SystemClock
from stateroom import AlarmInfo, Connection, DurableObject, Request, Response, StateroomError
from tests.cluster.alarm_runs import BEGIN, END

PROCESS = f"{os.getpid()}-{secrets.token_hex(4)}"
"""This process and no other, however often process ids are used again."""

LONGEST_RUN_MS = 100
RELAYED = "relayed-"
"""How a line begins that was written where a relayed operation passed by."""

_runs = itertools.count(1)


class Ledger(DurableObject):
    async def on_start(self) -> None:
        self.length: int = await self.ctx.storage.get("length", 0)

    async def on_request(self, request: Request) -> Response:
        after = int(parse_qs(request.query).get("after", ["0"])[0])
        if request.method == "POST":
            if request.path == "/relay":
                return await self.relay(parse_qs(request.query)["to"][0], request.body.decode())
            if request.path == "/alarm" and await self.ctx.storage.get_alarm() is None:
                self.ctx.storage.set_alarm(self.ctx.now() + after)
            return self.append(request.body.decode())
        return Response.json({"process": PROCESS, "lines": await self.lines(after)})

    async def relay(self, to: str, operation: str) -> Response:
        """Append a line here and have another ledger append it too."""
        self.append(f"{RELAYED}{operation}")
        other = self.ctx.namespace(self.ctx.id.namespace).get_by_name(to)
        try:
            place, process = await other.take(operation)
        except StateroomError as error:
            return Response.json({"code": error.code}, status=503)
        return Response.json({"process": process, "place": place})

    async def take(self, operation: str) -> list[Any]:
        """Append what another ledger was asked to bring here; where it stands, and who says so."""
        self.append(operation)
        return [self.length, PROCESS]

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        # A plain function: such an answer leaves in the very step in which the question came.
        connection.send(f"{message!s} = {self.length}")

    async def on_alarm(self, info: AlarmInfo) -> None:
        run = f"{PROCESS}-{next(_runs)}"
        self.append(f"{BEGIN}{run}")
        await self.ctx.storage.sync()
        await SystemClock().sleep(secrets.randbelow(LONGEST_RUN_MS) / 1000)
        self.append(f"{END}{run}")

    def append(self, operation: str) -> Response:
        self.length += 1
        self.ctx.storage.put("length", self.length)
        self.ctx.storage.put(key_of(self.length), operation)
        self.ctx.broadcast(f"{self.length} {operation}")
        return Response.json({"process": PROCESS, "place": self.length})

    async def lines(self, after: int) -> list[list[Any]]:
        """Place and operation, in order."""
        found = await self.ctx.storage.list(prefix="line-", start_after=key_of(after))
        return [[int(key.removeprefix("line-")), operation] for key, operation in found.items()]


def key_of(place: int) -> str:
    return f"line-{place:09}"
