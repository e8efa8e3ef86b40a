"""The reverse proxies of `deploy/`, run with the very files that are shipped.

Only what names a place is put in another's stead: ports, the addresses of the machines, folders.
A replacement that finds nothing to replace is an error, so that no test can run past a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEPLOY: Final = Path(__file__).parent.parent / "deploy"
MACHINES: Final = ("10.0.0.1:8000", "10.0.0.2:8000")
"""The examples that stand in the files."""

_HOST = "127.0.0.1"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.02


class ProxyError(Exception):
    """The proxy is not installed, or does not run with its configuration."""


class Proxy(ABC):
    """One proxy before two machines, on loopback.

    Args:
        folder: For its files; made if need be.
        port: Where it listens.
        servers: The ports of the two machines.
        changes: What else is put in its files, for what stands there, as shorter time-outs.
    """

    name: ClassVar[str]
    program: ClassVar[str]
    package: ClassVar[str]
    """What installs it."""
    files: ClassVar[tuple[str, ...]]
    """Below `deploy/`; the first is the one it is started with."""

    def __init__(
        self,
        folder: Path,
        port: int,
        servers: Sequence[int],
        changes: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self.url = f"ws://{_HOST}:{port}"
        self._folder = folder
        self._servers = list(servers)
        self._changes = dict(changes or {})
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def find(cls) -> str | None:
        """Return its program, or None."""
        own = Path(sys.executable).parent / cls.program
        if own.exists():
            return str(own)
        return shutil.which(cls.program) or shutil.which(cls.program, path="/usr/sbin")

    @classmethod
    def missing(cls) -> str:
        """What to do when there is none."""
        return f"{cls.name} is not installed: {cls.package}"

    async def start(self) -> None:
        """Start it, and wait until it serves.

        Raises:
            ProxyError: It is not installed, or has ended at once.
        """
        self.render()
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 -- a fork takes a millisecond
                self._command(self._program()),
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._until_it_serves(self._process)
        except TimeoutError:
            raise ProxyError(f"{self.name} does not serve: {self.log()}") from None

    async def reload(self, servers: Sequence[int] | None = None) -> None:
        """Have it read its files again, with other machines in them if told; does not wait."""
        self._servers = list(servers or self._servers)
        self.render()
        await self._reload()

    async def stop(self) -> None:
        """End it and all its children."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.to_thread(self._process.wait, _STOP_SECONDS)
        self._process = None

    @property
    def pid(self) -> int:
        """Its first process."""
        assert self._process is not None  # noqa: S101 -- only asked while it runs
        return self._process.pid

    def log(self) -> str:
        """The end of what it has said."""
        return (self._folder / "log").read_text(errors="replace")[-2000:]

    def render(self) -> None:
        """Write its files.

        Raises:
            LookupError: Something that is to be replaced does not stand there.
        """
        self._folder.mkdir(mode=0o711, exist_ok=True)
        texts = [(DEPLOY / file).read_text() for file in self.files]
        places = dict(zip(MACHINES, (f"{_HOST}:{port}" for port in self._servers), strict=True))
        for old, new in {**places, **self._places(), **self._changes}.items():
            if not any(old in text for text in texts):
                raise LookupError(f"{old!r} stands in none of {self.files}")
            texts = [text.replace(old, new) for text in texts]
        for file, text in zip(self.files, texts, strict=True):
            # In one step: whoever watches the file must not read half of it.
            target = self._folder / Path(file).name
            partial = target.with_suffix(".partial")
            partial.write_text(text)
            partial.replace(target)

    # -- what differs --------------------------------------------------------------------------

    @abstractmethod
    def _places(self) -> dict[str, str]:
        """What else names a place in its files, and what stands there here."""

    @abstractmethod
    def _command(self, program: str) -> list[str]:
        """How it is started in the foreground."""

    async def _reload(self) -> None:
        os.kill(self.pid, signal.SIGHUP)

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    def _program(self) -> str:
        program = self.find()
        if program is None:
            raise ProxyError(self.missing())
        return program

    async def _until_it_serves(self, process: subprocess.Popen[bytes]) -> None:
        while not await asyncio.to_thread(self._serves):
            if process.poll() is not None:
                raise ProxyError(f"{self.name} has ended: {self.log()}")
            await asyncio.sleep(_LOOK_SECONDS)

    def _serves(self) -> bool:
        try:
            socket.create_connection((_HOST, self.port), 1.0).close()
        except OSError:
            return False
        return True
