"""An object class for tests that kill the process in the middle of an alarm."""

import os
import signal
from pathlib import Path
from typing import Any

from stateroom import AlarmInfo, DurableObject, Request, Response


class AlarmClock(DurableObject):
    """`POST` sets the alarm in a moment; `GET` lists the processes of the runs that count.

    The first run writes, leaves a mark in the file named in the request, and kills its own
    process; so does nobody after it.
    """

    async def on_request(self, request: Request) -> Response:
        if request.method == "POST":
            self.ctx.storage.put("mark", request.body.decode())
            self.ctx.storage.put("runs", [])
            self.ctx.storage.set_alarm(self.ctx.now() + 100)
            return Response.json({"process": os.getpid()})
        found: dict[str, Any] = {
            "process": os.getpid(),
            "runs": await self.ctx.storage.get("runs"),
            "alarm": await self.ctx.storage.get_alarm(),
        }
        return Response.json(found)

    async def on_alarm(self, info: AlarmInfo) -> None:
        runs = await self.ctx.storage.get("runs")
        self.ctx.storage.put("runs", [*runs, [os.getpid(), info.retry_count]])
        die_once(Path(await self.ctx.storage.get("mark")))


def die_once(mark: Path) -> None:
    """Leave the mark and end this process, if there is none yet."""
    if not mark.exists():
        mark.write_text(f"{os.getpid()}", "utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
