"""`stateroom serve` as a process of these tests: started, killed, stopped in its tracks, asked.

It runs in the background of the test's own event loop. What it logs goes to a file beside its
data; `faults` tells whether it found something that must never happen.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from app.settings.sources import environ
from tests.architecture.sources import ROOT
from tests.integration.command_line import READY_LINE, environment
from tests.interop.wire_json import loads

START_SECONDS = 60.0
END_SECONDS = 60.0
MUTANT_VARIABLE = "TESTS_MUTANT"
"""Names a deliberate fault that the server is started with (tests/mutants)."""

_FAULTS = frozenset(
    {
        "task_failed",
        "object_fault",
        "commit_failed_unexpectedly",
        "batch_source_failed",
        "stop_forced",
    }
)


class ServerProcess:
    """One server after another on one data directory.

    Args:
        folder: Where its data and its log lie.
        database_url: A Postgres of the tests' own; None for the embedded one.
        variables: Its settings.
    """

    def __init__(self, folder: Path, *, database_url: str | None = None, **variables: str) -> None:
        self._data = folder / "data"
        self._log = folder / "server.log"
        self._command = [sys.executable, "-m", *_program(), "serve", "--port", "0"]
        self._command += ["--data-dir", str(self._data)]
        if database_url is not None:
            self._command += ["--database-url", database_url]
        self._environment = environment(**variables)
        self._process: Process | None = None
        self.url = ""

    @property
    def database_url(self) -> str:
        """Where its embedded Postgres listens."""
        return f"postgresql://stateroom@/postgres?host={self._data / 'postgres'}"

    @property
    def pid(self) -> int:
        """The process that was started; with several workers, their supervisor."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def spawn(self) -> None:
        """Start the process and leave it to itself."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=ROOT, env=self._environment, stdout=PIPE, stderr=log
            )

    async def ready(self) -> None:
        """Wait for the ready line."""
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            line = (await self._process.stdout.readline()).decode()
        found = READY_LINE.fullmatch(line)
        assert found is not None, f"no ready line but {line!r}; its log:\n{self.last_words()}"
        self.url = found[2]

    async def start(self) -> None:
        await self.spawn()
        await self.ready()

    async def kill(self) -> None:
        """End it by SIGKILL."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._end(self._process)

    def kill_postgres(self) -> None:
        """End its embedded Postgres by SIGKILL, if it runs."""
        try:
            lines = (self._data / "postgres" / "postmaster.pid").read_text("utf-8").split()
            os.kill(int(lines[0]), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, IndexError):
            return

    def pause(self) -> None:
        """Stop it in its tracks, as a machine does that is suspended."""
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        self._send(signal.SIGCONT)

    def ask_to_stop(self) -> None:
        self._send(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait until it has ended by itself; returns its exit status."""
        assert self._process is not None
        return await self._end(self._process)

    async def close(self) -> None:
        """End it in order, or by force when it hangs or is stopped."""
        if not self.runs:
            await self.kill()
            return
        self.go_on()
        self.ask_to_stop()
        try:
            await self.ended()
        finally:
            await self.kill()

    def last_words(self) -> str:
        return self._log.read_text("utf-8", "replace")[-6000:]

    def said(self, event: str) -> int:
        """How often it has logged an event."""
        return sum(line.get("event") == event for line in self._lines())

    def faults(self) -> list[str]:
        """What it has logged that must never happen."""
        return [
            str(line)
            for line in self._lines()
            if line.get("event") in _FAULTS or "exception" in line or "Traceback" in str(line)
        ]

    def _lines(self) -> list[dict[str, object]]:
        text = self._log.read_text("utf-8", "replace") if self._log.exists() else ""
        return [
            loads(line) if line.startswith("{") and line.endswith("}") else {"text": line}
            for line in text.splitlines()
        ]

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def _end(self, process: Process) -> int:
        async with asyncio.timeout(END_SECONDS):
            if process.stdout is not None:
                await process.stdout.read()
            return await process.wait()


def _program() -> list[str]:
    """What `python -m` runs: the service, or the service with a deliberate fault."""
    mutant = environ.get(MUTANT_VARIABLE)
    return ["stateroom"] if mutant is None else ["tests.mutants.serve", mutant]
