"""`serve --workers 2` as a tree of processes, and a class that tells which of them it lives in."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
import psutil

from app.core.clock import SystemClock
from tests.integration.command_line import DEADLINE_SECONDS, Ended, Served

WORKERS = 2
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 150.0
"""Starting a process takes seconds on a busy machine, and some tests start many."""
# A slow machine must not force a stop, nor end the event that a test holds.
PATIENT = {"STATEROOM_SHUTDOWN_SECONDS": "50", "STATEROOM_EVENT_TIMEOUT_SECONDS": "60"}
STATEROOM = (sys.executable, "-m", "stateroom")
# What a test does to it is done by files in the working directory.
WHO = """
import asyncio, os, pathlib, subprocess, sys, time
from stateroom import DurableObject, Request, Response

slot = sys.argv[sys.argv.index("--slot") + 1] if "--slot" in sys.argv else "none"
while pathlib.Path("hold").exists() or pathlib.Path(f"hold-{slot}").exists():
    time.sleep(0.02)
if pathlib.Path("broken").exists():
    raise RuntimeError("this class is broken")


class Who(DurableObject):
    async def on_request(self, request: Request) -> Response:
        if request.path == "/orphan":
            told = subprocess.run(["sh", "-c", "sleep 60 >&- & echo $!"], stdout=subprocess.PIPE)
            return Response(body=told.stdout)
        if request.path == "/slow":
            pathlib.Path("entered.new").write_text(str(os.getpid()))
            pathlib.Path("entered.new").rename("entered")
            while not pathlib.Path("release").exists():
                await asyncio.sleep(0.02)
            self.ctx.storage.put("slow", "kept")
        if request.path == "/kept":
            return Response(body=str(await self.ctx.storage.get("slow")))
        return Response(body=str(os.getpid()))
"""

FoundT = TypeVar("FoundT")


class Supervised:
    """One supervisor after another on one folder; a context manager around one of them.

    Args:
        folder: The working directory, with the data directory in it.
        command: What to run in place of `python -m stateroom`.
        arguments: Further options.
        variables: Its settings.
    """

    def __init__(
        self, folder: Path, *arguments: str, command: Sequence[str] = STATEROOM, **variables: str
    ) -> None:
        self._folder = folder
        (folder / "who.py").write_text(WHO)
        arguments = ("--workers", str(WORKERS), *arguments)
        variables = PATIENT | {"STATEROOM_NAMESPACES": "who=who:Who"} | variables
        self.served = Served(folder, *arguments, command=command, **variables)
        self.supervisor = psutil.Process(self.served.process.pid)
        self._stack = ExitStack()
        self._client = httpx.Client(
            timeout=DEADLINE_SECONDS, limits=httpx.Limits(max_keepalive_connections=0)
        )

    def __enter__(self) -> Self:
        self._stack.callback(self._client.close)
        self._stack.enter_context(self.served)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.tree():
            # Children of a supervisor that was killed end by themselves, also between these lines.
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
        self._stack.__exit__(kind, error, trace)

    def ask(self, name: str, path: str = "") -> httpx.Response:
        """Ask an object over a connection of its own."""
        return self._client.get(f"{self.served.url}/objects/who/{name}{path}")

    def pid_of(self, name: str) -> int:
        """Which process an object lives in; asks until there is an answer."""
        return until(lambda: self._answer(name))

    def workers(self) -> dict[int, psutil.Process]:
        """Slot to process, as they run now."""
        found = {}
        for child in self.supervisor.children():
            try:
                words = child.cmdline()
            except psutil.Error:
                continue
            if "worker" in words and "--slot" in words:
                found[int(words[words.index("--slot") + 1])] = child
        return found

    def pid_of_event(self) -> int:
        """Which process is in the event that the test holds."""
        return int((self._folder / "entered").read_text())

    def all_serve(self) -> set[int]:
        """Wait until each worker has claimed an object; returns their process ids."""
        numbers = iter(range(10_000))
        seen: set[int] = set()

        def wanted() -> set[int] | None:
            pid = self._answer(f"{self.served.process.pid}-{next(numbers)}")
            if pid is not None:
                seen.add(pid)
            alive = {process.pid for process in self.workers().values()}
            return alive if len(alive) == WORKERS and alive <= seen else None

        return until(wanted)

    def owned_by(self, pid: int) -> str:
        """The name of an object that lives in this process."""
        names = (f"of-{pid}-{number}" for number in range(10_000))
        return next(name for name in names if self.pid_of(name) == pid)

    def tree(self) -> list[psutil.Process]:
        """Every process of the service that lives, the supervisor too."""
        with suppress(psutil.NoSuchProcess):
            return [self.supervisor, *self.supervisor.children(recursive=True)]
        return []

    def ended(self) -> Ended:
        """Wait until it has ended by itself."""
        return self.served.end()

    def stopped(self) -> Ended:
        """Ask it to stop, and wait until it has."""
        return self.served.stop()

    def said(self, event: str) -> int:
        """How often an event was logged."""
        return self.served.log().count(f'"event":"{event}"')

    def _answer(self, name: str) -> int | None:
        try:
            response = self.ask(name)
        except httpx.TransportError:
            return None
        return int(response.text) if response.status_code == 200 else None


def until(look: Callable[[], FoundT | None]) -> FoundT:
    """Look until there is something, within the deadline."""
    for _ in _moments():
        found = look()
        if found:
            return found
    raise AssertionError("it did not come about in time")


def gone(processes: list[psutil.Process]) -> None:
    """Wait until all of them have ended."""
    until(lambda: not any(_lives(process) for process in processes))


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _moments() -> Iterator[None]:
    clock = SystemClock()
    deadline = clock.monotonic() + PATIENCE_SECONDS
    while clock.monotonic() < deadline:
        yield
        time.sleep(LOOK_SECONDS)
