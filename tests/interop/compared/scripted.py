"""An object that does what it is told: the twin of scripted.mjs, verb by verb.

POST /objects/NAMESPACE/NAME runs the steps of its body in one event and answers with what each
gave; a WebSocket there takes steps too. What a step raises is its result: {"refused": true}.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs

from app.sdk import AlarmInfo, Connection, DurableObject, Request, Response
from tests.interop.compared.verbs import RAISING, REFUSED, VERBS, AsToldError
from tests.interop.wire_json import dumps, loads

_starts: dict[str, int] = {}


class Scripted(DurableObject):
    """See the module. It never rests by itself: on a busy machine two steps may be far apart."""

    idle_seconds = 3600.0

    def __init__(self, ctx: Any) -> None:
        super().__init__(ctx)
        self.words: list[Any] = []
        key = str(ctx.id)
        _starts[key] = self.start_count = _starts.get(key, 0) + 1

    def on_start(self) -> None:
        if (self.ctx.id.name or "").startswith("broken-at-first") and self.start_count == 1:
            raise AsToldError

    async def play(self, steps: Sequence[Sequence[Any]], storage: Any = None) -> list[Any]:
        """Run steps one after the other; on a transaction if there is one."""
        results: list[Any] = []
        for verb, *arguments in steps:
            do: Callable[..., Any] = VERBS[verb]
            if verb in RAISING:
                do(self)
            try:
                results.append(await do(self, storage or self.ctx.storage, *arguments))
            except Exception:  # noqa: BLE001 - that it raised is the result
                results.append(REFUSED)
        return results

    async def run(self, steps: list[list[Any]]) -> list[Any]:
        return await self.play(steps)

    async def change(self, value: dict[str, list[int]]) -> dict[str, list[int]]:
        value["list"].append(2)
        return value

    async def get(self) -> str:
        return "got"

    async def boom(self) -> None:
        raise AsToldError

    async def _private(self) -> str:
        return "private"

    async def on_request(self, request: Request) -> Response:
        return Response.json(await self.play(loads(request.body)["steps"]))

    def on_connect(self, connection: Connection, request: Request) -> None:
        for tags in parse_qs(request.query).get("tags", []):
            connection.tag(*tags.split(","))

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        if isinstance(message, bytes):
            connection.send(message)
        elif message.startswith("{"):
            connection.send(dumps(await self.play(loads(message.encode())["steps"])))
        else:
            connection.send(f"text {message}")

    async def on_close(self, connection: Connection, code: int, reason: str, clean: bool) -> None:
        closes = await self.ctx.storage.get("closes", [])
        self.ctx.storage.put("closes", [*closes, [code, reason if clean else "", clean]])

    async def on_alarm(self, info: AlarmInfo) -> None:
        storage = self.ctx.storage
        standing = await storage.get_alarm() is not None
        runs = [*await storage.get("runs", []), [info.retry_count, info.is_retry, standing]]
        storage.put("runs", runs)
        storage.put("times", [*await storage.get("times", []), self.ctx.now()])
        again = await storage.get("again")
        if again:
            storage.delete("again")
            storage.set_alarm(self.ctx.now() + again)
        if len(runs) <= await storage.get("failures", 0):
            await storage.sync()
            raise AsToldError


class Other(Scripted):
    """Another namespace of the same verbs."""


class Interleaved(Scripted):
    """The same verbs by the rule of input gates."""

    interleave = True


class Resting(Scripted):
    """The same verbs, resting after ten idle seconds."""

    idle_seconds = 10.0
