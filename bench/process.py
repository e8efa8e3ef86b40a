"""A server as a process tree of its own: started, awaited, stopped, killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from bench.client import HOST
from bench.usage import ProcessTree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 20.0
_POLL_SECONDS = 0.05


class StartError(Exception):
    """The server ended or did not become ready in time."""


class ServerProcess:
    """One server on `port`. Its output goes to `log`."""

    def __init__(
        self, command: Sequence[str], *, port: int, log: Path, env: Mapping[str, str]
    ) -> None:
        self.port = port
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **env},
                start_new_session=True,
            )
        self.tree = ProcessTree(self._process.pid)

    async def ready(self, path: str | None) -> None:
        """Wait until the port accepts and, with a `path`, a GET of it answers 200.

        Raises:
            StartError: with the last lines the server wrote.
        """
        deadline = time.perf_counter() + START_TIMEOUT_SECONDS
        while time.perf_counter() < deadline:
            if self._process.poll() is not None:
                raise StartError(f"it ended with {self._process.returncode}: {self.last_words()}")
            if await asyncio.to_thread(self._answers, path):
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise StartError(f"not ready after {START_TIMEOUT_SECONDS:.0f} s: {self.last_words()}")

    def _answers(self, path: str | None) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://{HOST}:{self.port}{path or '/'}", timeout=2
            ) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return path is None  # a WebSocket server refuses plain requests: it listens
        except OSError:
            return False

    def last_words(self) -> str:
        """Return the end of what the server wrote."""
        return self._log.read_text(errors="replace")[-600:].strip() or "(it wrote nothing)"

    async def stop(self) -> None:
        """Ask the server to end (SIGTERM); kill what is left after a while."""
        pids = self.tree.pids()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                await asyncio.to_thread(self._process.wait, STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                pids = self.tree.pids()
        await self._kill(pids)

    async def kill(self) -> None:
        """Kill the whole tree at once (SIGKILL), as a machine does that loses its power supply."""
        await self._kill(self.tree.pids())

    async def _kill(self, pids: list[int]) -> None:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        await asyncio.to_thread(self._process.wait)
        await asyncio.to_thread(_wait_for_end, pids)


def _wait_for_end(pids: list[int]) -> None:
    while any(_runs(pid) for pid in pids):
        time.sleep(_POLL_SECONDS)


def _runs(pid: int) -> bool:
    """Tell whether a process lives; one that died but was not reaped yet (state Z) does not."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
