"""`python -m bench.stalls`: how long the event loop stands still while something large is taken.

A client sends one large change as one frame, then JSON is put into a room and read again, over the
admin API. An object in the same worker watches the loop meanwhile (`bench.pulse`): what is told is
the processor time of the longest stall, which a busy machine does not stretch, and what passed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from bench.client import HOST, connect
from bench.held import TOKEN, TOKEN_SETTING
from bench.hlc import HlcClock, digits
from bench.loading import Asker
from bench.measurement import free_port
from bench.messages import CONTENT_DIFF, GET_CONTENT_HASHES, TABLE, broadcast
from bench.process import ServerProcess

FRAME_MIB = (1, 4, 15)
ROWS = (100_000, 700_000)
LARGE_CHARS = 100_000
MIB = 1 << 20
TIMEOUT_SECONDS = 300.0
_ROW_BYTES = 60
"""What one row of one small cell takes in a change, about."""
_ENVIRONMENT = {
    "STATEROOM_NAMESPACES": "tinybase=stateroom.tinybase:TinyBaseRoom,pulse=bench.pulse:Pulse",
    # A busy machine must not end a lease while it is measured.
    "STATEROOM_LEASE_SECONDS": "60",
    **TOKEN_SETTING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled:
    """What one piece of work did to everybody else: the longest stall, in milliseconds."""

    name: str
    cpu_ms: float
    wall_ms: float


def change_of(size_bytes: int, *, cell_chars: int) -> bytes:
    """A change of about this size, of rows of one cell each."""
    clock, text = HlcClock(), "x" * cell_chars
    count = max(1, size_bytes // (_ROW_BYTES + cell_chars))
    rows = {f"row-{n:06}": [{"c": [text or n, clock.next("00001")]}] for n in range(count)}
    return orjson.dumps([digits(1, 11), CONTENT_DIFF, [[{TABLE: [rows]}], [{}], 1]])


class Watch:
    """One server whose loop is watched while something is done to it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.seen: list[Stalled] = []

    async def during(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do the work, and note the longest stall."""
        await self._ask("GET", "/objects/pulse/loop/start")
        try:
            await work()
        except urllib.error.HTTPError as refused:
            name = f"{name} (answered {refused.code})"
        stalls = orjson.loads(await self._ask("GET", "/objects/pulse/loop/stop"))
        wall, cpu = max(stalls, key=lambda pair: pair[1], default=(0.0, 0.0))
        self.seen.append(Stalled(name=name, cpu_ms=cpu * 1000, wall_ms=wall * 1000))

    async def frame(self, path: str, change: bytes) -> None:
        """Send a change as one frame, and wait until the replica has it."""
        asker = Asker()
        client = await connect(asker, 0, self._port, path)
        client.send(broadcast(change))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asker.dialogue.ask(client, GET_CONTENT_HASHES, "")
        client.close()

    async def content(self, method: str, room: str, body: bytes | None = None) -> bytes:
        """Put or get the content of a room."""
        return await self._ask(
            method, f"/admin/v1/namespaces/tinybase/objects/{room}/content", body
        )

    async def _ask(self, method: str, target: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"http://{HOST}:{self._port}{target}", data=body, method=method, headers=headers
        )

        def answer() -> bytes:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as told:  # noqa: S310 -- our own address
                text: bytes = told.read()
                return text

        return await asyncio.to_thread(answer)


async def measure(frames_mib: Sequence[int], rows: Sequence[int]) -> list[Stalled]:
    """Take frames of these sizes, and contents of so many rows, each into a room of its own."""
    with tempfile.TemporaryDirectory(prefix="stalls-", ignore_cleanup_errors=True) as folder:
        server = _server_in(Path(folder))
        watch = Watch(server.port)
        try:
            await server.ready("/readyz")
            for mib in frames_mib:
                for what, chars in (("small rows", 0), ("large cells", LARGE_CHARS)):
                    change = change_of(mib * MIB, cell_chars=chars)
                    work = partial(watch.frame, f"frame-{mib}-{chars}", change)
                    await watch.during(f"frame of {len(change) / MIB:.0f} MiB, {what}", work)
            for count in rows:
                await _contents(watch, count)
        except Exception as error:
            raise RuntimeError(f"{error!r}; it said {server.last_words()}") from error
        finally:
            await server.stop()
    return watch.seen


def _server_in(folder: Path) -> ServerProcess:
    folder.chmod(0o711)  # Postgres may run as another user below it
    port = free_port()
    command = [sys.executable, "-m", "stateroom", "serve", "--host", HOST, "--port", str(port)]
    command += ["--data-dir", str(folder / "data")]
    return ServerProcess(command, port=port, log=folder / "log", env=_ENVIRONMENT)


async def _contents(watch: Watch, count: int) -> None:
    rows = {f"{n:x}": {"": n % 10} for n in range(count)}
    body, room = orjson.dumps({"tables": {"t": rows}}), f"content-{count}"
    size = f"{count:,} rows, {len(body) / MIB:.0f} MiB"
    await watch.during(f"PUT of {size}", lambda: watch.content("PUT", room, body))
    await watch.during(f"GET of {size}", lambda: watch.content("GET", room))


def report(seen: Sequence[Stalled]) -> str:
    """The table, as Markdown."""
    lines = ["| what | longest stall, CPU ms | passed meanwhile, ms |", "|---|---|---|"]
    lines += [f"| {each.name} | {each.cpu_ms:.0f} | {each.wall_ms:.0f} |" for each in seen]
    return "\n".join(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.stalls",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--frames", type=int, nargs="*", default=FRAME_MIB, help="sizes in MiB")
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS, help="of contents")
    given = parser.parse_args()
    sys.stdout.write(f"{report(asyncio.run(measure(given.frames, given.rows)))}\n")


if __name__ == "__main__":
    main()
