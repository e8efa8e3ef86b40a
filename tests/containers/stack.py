"""The service of the compose files, as it runs: its containers, its workers, its published port."""

import asyncio
import shutil
import socket
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from app.core.clock import SystemClock
from tests.architecture.sources import ROOT
from tests.containers.engine import CommandFailed, Engine
from tests.interop.wire_json import Json, loads

FILES: Final = (
    "docker-compose.yml",
    "docker-compose.override.yml",
    "docker-compose.production.yml",
)
CONTEXT: Final = ("Dockerfile", ".dockerignore", "deploy", "app", "stateroom", "migrations")
CONTEXT_FILES: Final = (
    "pyproject.toml",
    "constraints.txt",
    "hatch_build.py",
    "build_native.py",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
)

_UNTIL_SECONDS: Final = 90.0
_LOOK_SECONDS: Final = 0.25


class Stack:
    """One project of compose, on a free port.

    Args:
        engine: Runs it.
        folder: Gets the files: compose names its project after the folder, which must be new.
        variables: What the compose files read from the environment.
    """

    def __init__(self, engine: Engine, folder: Path, **variables: str) -> None:
        self._engine = engine
        self._clock = SystemClock()
        self.project = f"stateroom{uuid.uuid4().hex[:8]}"
        self._folder = folder / self.project
        self._port = _free_port()
        self._variables = {"PUBLISH": f"127.0.0.1:{self._port}", **variables}
        copy_checkout(self._folder)

    def room(self, name: str) -> str:
        """The address of a room, through the proxy."""
        return f"ws://127.0.0.1:{self._port}/{name}"

    async def compose(self, *arguments: str) -> str:
        """Run compose on it. Raises CommandFailed."""
        return await asyncio.to_thread(
            self._engine.compose, self._folder, *arguments, **self._variables
        )

    async def docker(self, *arguments: str) -> str:
        """Run the client. Raises CommandFailed."""
        return await asyncio.to_thread(self._engine.docker, *arguments)

    async def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return (await self.compose("ps", "-q", service)).split()

    async def inspected(self, container: str) -> Json:
        """What the engine knows of a container."""
        return loads(await self.docker("inspect", container))[0]

    async def until_healthy(self, service: str, count: int) -> None:
        """Wait until that many containers of a service say that they are well."""

        async def healthy() -> bool:
            found = [await self.inspected(one) for one in await self.containers(service)]
            well = [
                one for one in found if one["State"].get("Health", {}).get("Status") == "healthy"
            ]
            return len(well) == len(found) == count

        await self.until(f"{count} healthy {service}", healthy)

    async def live_workers(self, container: str) -> int:
        """How many workers the whole service has, told by the command line inside a container."""
        said = await self.docker("exec", container, "stateroom", "workers", "ls", "--json")
        return sum(loads(line)["state"] == "live" for line in said.splitlines())

    async def until_workers(self, count: int) -> None:
        """Wait until exactly that many workers of the service are alive."""

        async def counted() -> bool:
            container = (await self.containers("server"))[0]
            return await self.live_workers(container) == count

        await self.until(f"{count} live workers", counted)

    async def until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        """Ask until it holds. Raises TimeoutError with what was waited for."""
        deadline = self._clock.monotonic() + _UNTIL_SECONDS
        while True:
            try:
                if await holds():
                    return
            except CommandFailed:
                pass  # a container that is on its way says nothing
            if self._clock.monotonic() > deadline:
                raise TimeoutError(f"not within {_UNTIL_SECONDS:.0f} s: {what}")
            await self._clock.sleep(_LOOK_SECONDS)

    async def last_words(self) -> str:
        """The ends of the logs, and the states of the containers."""
        try:
            return await self.compose("ps") + await self.compose(
                "logs", "--tail", "15", "--no-color"
            )
        except CommandFailed as failure:
            return str(failure)

    async def down(self) -> list[str]:
        """Remove it with its volumes; returns what is still there."""
        await self.compose("down", "-v", "--remove-orphans", "--timeout", "40")
        mark = f"label=com.docker.compose.project={self.project}"
        left = ""
        for kind in (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q")):
            left += await self.docker(*kind, "--filter", mark)
        return left.split()


def copy_checkout(folder: Path) -> None:
    """Copy what compose reads; the folder's name becomes the name of the project."""
    folder.mkdir()
    for name in (*FILES, *CONTEXT, *CONTEXT_FILES):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.so", "native.sha256")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
