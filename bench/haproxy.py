"""The proxy of `deploy/haproxy.cfg`, as it would stand in front of two machines."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG = Path(__file__).parent.parent / "deploy" / "haproxy.cfg"
MISSING = "haproxy is not installed; on Debian: apt-get install haproxy"

_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.02


def find_haproxy() -> str | None:
    """Return the binary of the system's package, or None."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


class HaProxy:
    """One proxy process.

    Args:
        port: Where it listens.
        servers: The ports of the two machines.
    """

    def __init__(self, port: int, servers: Sequence[int]) -> None:
        self._port = port
        self.url = f"ws://127.0.0.1:{port}"
        one, two = servers
        self._environment = {
            "STATEROOM_BIND": f"127.0.0.1:{port}",
            "STATEROOM_ONE": f"127.0.0.1:{one}",
            "STATEROOM_TWO": f"127.0.0.1:{two}",
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and wait until it listens.

        Raises:
            RuntimeError: It is not installed, or has ended at once.
        """
        binary = find_haproxy()
        if binary is None:
            raise RuntimeError(MISSING)
        self._process = subprocess.Popen(  # noqa: ASYNC220 -- a fork takes a millisecond
            [binary, "-db", "-f", str(CONFIG)],
            env={**os.environ, **self._environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not await asyncio.to_thread(self._listens):
            if self._process.poll() is not None:
                raise RuntimeError("haproxy does not run with its configuration")
            await asyncio.sleep(_LOOK_SECONDS)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), 1.0).close()
        except OSError:
            return False
        return True

    async def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait, _STOP_SECONDS)
