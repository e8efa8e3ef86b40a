"""`python -m bench.abuse`: a flood of WebSockets from one address, each for a room of its own.

The server is told that this machine is a proxy, and the flood names one client's address. What is
told: how many were let in and how many refused, what memory the server took, and whether another
client was served while it lasted. With `--unbounded` the limits are off, for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.client import HOST
from bench.measurement import free_port
from bench.process import ServerProcess

CONNECTS = 10_000
AT_ONCE = 50
TIMEOUT_SECONDS = 60.0
_FLOOD, _OTHER = "203.0.113.1", "203.0.113.2"
_UNBOUNDED = {
    "STATEROOM_ADDRESS_CONNECTS_PER_SECOND": "0",
    "STATEROOM_CLIENT_ROOMS_PER_SECOND": "0",
}


async def shake(port: int, room: str, client: str) -> str:
    """Ask for a socket, hang up, and return the status of the answer."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(
            f"GET /{room} HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: {client}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        line = await asyncio.wait_for(reader.readline(), TIMEOUT_SECONDS)
        return line.decode().split()[1] if line else "cut"
    except ConnectionError:
        return "cut"
    finally:
        writer.close()


async def flood(port: int, connects: int) -> Counter[str]:
    """Ask for so many rooms; return how often each status came."""
    found: Counter[str] = Counter()
    names = iter(range(connects))

    async def one() -> None:
        for each in names:
            found[await shake(port, f"made-up/{each}", _FLOOD)] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one())
    return found


def resident_mib(process: ServerProcess) -> float:
    """The memory of the server's own processes, Postgres aside."""
    total = 0
    for pid in process.tree.pids():
        try:
            if b"stateroom" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"-D")[0]:
                pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
                total += pages * 4096
        except OSError:
            continue
    return total / (1 << 20)


async def run(connects: int, environment: dict[str, str]) -> bool:
    """Flood a server of its own; return whether another client was served all the while."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        place = ["--host", HOST, "--port", str(port), "--data-dir", f"{folder}/data"]
        process = ServerProcess(
            [sys.executable, "-m", "stateroom", "serve", *place],
            port=port,
            log=Path(folder) / "log",
            env={"STATEROOM_TRUSTED_PROXIES": "127.0.0.1", **environment},
        )
        try:
            await process.ready("/readyz")
            before = resident_mib(process)
            flooding = asyncio.ensure_future(flood(port, connects))
            others: Counter[str] = Counter()
            while not flooding.done():
                others[await shake(port, "other", _OTHER)] += 1
                await asyncio.sleep(0.2)
            after = resident_mib(process)
            print(f"flood: {dict(await flooding)}; another client: {dict(others)}")
            print(f"memory of the server: {before:.0f} MiB before, {after:.0f} MiB after")
            return set(others) == {"101"}
        finally:
            await process.stop()


def main() -> int:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connects", type=int, default=CONNECTS)
    parser.add_argument("--unbounded", action="store_true", help="with the limits off")
    asked = parser.parse_args()
    served = asyncio.run(run(asked.connects, _UNBOUNDED if asked.unbounded else {}))
    return 0 if served else 1


if __name__ == "__main__":
    sys.exit(main())
