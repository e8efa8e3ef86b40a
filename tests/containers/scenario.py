"""What is done to the containers, in order, and what must hold after each step."""

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Final, TypeAlias

from app.core.clock import SystemClock
from tests.containers.stack import Stack
from tests.containers.visitors import Diarist, Tables, leave_note, seconds_until_read
from tests.interop.client_host import ClientHost
from tests.interop.wire_json import Json

_WORKERS: Final = 2
_ROOMS: Final = 8
_ROWS: Final = 6
_REPLICAS: Final = 3
# A worker's process, which is not the first of its container, killed from inside.
_KILL_A_WORKER: Final = """
import os, pathlib, signal
for entry in sorted(pathlib.Path("/proc").glob("[0-9]*")):
    words = (entry / "cmdline").read_bytes().split(b"\\0")
    if b"worker" in words and b"--slot" in words and words[words.index(b"--slot") + 1] == b"%d":
        os.kill(int(entry.name), signal.SIGKILL)
        print("killed")
"""


class Surprise(Exception):
    """Something is not as it was promised."""


class Scenario:
    """See the module.

    Args:
        stack: The containers.
        host: The clients.
        tell: Prints a line with the time.
    """

    Tell: ClassVar[TypeAlias] = Callable[[str], None]

    def __init__(self, stack: Stack, host: ClientHost, tell: "Scenario.Tell") -> None:
        self._stack = stack
        self._host = host
        self._tell = tell
        self._clock = SystemClock()
        self._kept: dict[str, Tables] = {}

    async def build(self, arguments: Sequence[str]) -> None:
        """Build the image from the Dockerfile, by compose."""
        options = [word for argument in arguments for word in ("--build-arg", argument)]
        await self._stack.compose("build", *options, "server")
        self._tell(f"built with {', '.join(arguments)}")

    async def run(self, *, quick: bool) -> None:
        """Do everything. Raises Surprise, TimeoutError, HostError or CommandFailed."""
        await self._up()
        await self._confined()
        await self._worker_killed()
        await self._scaled()
        await self._containers_killed(1 if quick else _REPLICAS)
        await self._recreated()

    async def _up(self) -> None:
        begun = self._clock.monotonic()
        await self._stack.compose("up", "--detach")
        await self._stack.until_healthy("proxy", 1)
        self._tell(f"up and healthy in {self._clock.monotonic() - begun:.1f} s")
        for number in range(_ROOMS):
            name = f"rooms/{number}"
            self._kept[name] = await leave_note(self._host, self._stack.room(name), _ROWS)
        self._tell(f"two clients synced in each of {_ROOMS} rooms through the proxy")

    async def _confined(self) -> None:
        for service in ("database", "server", "proxy"):
            for container in await self._stack.containers(service):
                _check_confinement(service, await self._stack.inspected(container))
        container = (await self._stack.containers("server"))[0]
        said = await self._stack.docker(
            "exec", container, "grep", "-E", "^(Uid|CapEff):", "/proc/1/status"
        )
        if "10001\t10001" not in said or "CapEff:\t0000000000000000" not in said:
            raise Surprise(f"the server's process has rights that it does not need: {said}")
        self._tell("every container: ordinary user, read-only root, no capability, limits")

    async def _worker_killed(self) -> None:
        container = (await self._stack.containers("server"))[0]
        for slot in range(_WORKERS):
            said = await self._stack.docker(
                "exec", container, "python", "-c", _KILL_A_WORKER % slot
            )
            if "killed" not in said:
                raise Surprise(f"no worker process of slot {slot} was found")
            await self._all_are_back(f"worker {slot} killed")
            await self._stack.until_workers(_WORKERS)

    async def _scaled(self) -> None:
        begun = self._clock.monotonic()
        await self._scale(_REPLICAS)
        await self._stack.until_workers(_REPLICAS * _WORKERS)
        self._tell(f"scaled to {_REPLICAS} containers in {self._clock.monotonic() - begun:.1f} s")
        await self._all_are_back("scaled")

    async def _containers_killed(self, count: int) -> None:
        for container in (await self._stack.containers("server"))[:count]:
            await self._stack.docker("kill", container)
            await self._all_are_back("container killed")
            await self._stack.docker("start", container)
            await self._stack.until_workers(_REPLICAS * _WORKERS)

    async def _recreated(self) -> None:
        """As docs/operations/containers.md says, while clients write."""
        diarists = [
            Diarist(self._host, self._stack.room(f"diaries/{number}")) for number in range(3)
        ]
        for diarist in diarists:
            await diarist.start()
        old = await self._stack.containers("server")
        await self._scale(2 * _REPLICAS)
        for container in old:
            await self._stack.docker("stop", "--time", "30", container)
            await self._stack.docker("rm", "--volumes", container)
        await self._scale(_REPLICAS)
        await self._stack.until_workers(_REPLICAS * _WORKERS)
        if set(old) & set(await self._stack.containers("server")):
            raise Surprise("a container of before is still there")
        for number, diarist in enumerate(diarists):
            self._kept[f"diaries/{number}"] = await diarist.finish()
        written = sum(diarist.acknowledged for diarist in diarists)
        longest = max(diarist.longest_seconds for diarist in diarists)
        self._tell(f"all containers replaced under {written} writes; longest {longest:.2f} s")
        await self._all_are_back("re-created")

    async def _scale(self, count: int) -> None:
        await self._stack.compose(
            "up", "--detach", "--no-deps", "--no-recreate", "--scale", f"server={count}", "server"
        )
        await self._stack.until_healthy("server", count)

    async def _all_are_back(self, after: str) -> None:
        """Every room shows a fresh client what was acknowledged, and nothing else."""
        waits = await asyncio.gather(
            *(
                seconds_until_read(self._host, self._stack.room(name), tables)
                for name, tables in self._kept.items()
            )
        )
        self._tell(f"{after}: {len(waits)} rooms complete, the last after {max(waits):.2f} s")


def _check_confinement(service: str, found: Json) -> None:
    host, config = found["HostConfig"], found["Config"]
    wrong = {
        "an ordinary user": config["User"] in ("", "0", "root"),
        "a read-only root": not host["ReadonlyRootfs"],
        "no capabilities": host["CapDrop"] != ["ALL"] or host["CapAdd"],
        "a restart policy": host["RestartPolicy"]["Name"] in ("", "no"),
        "no new privileges": not any("no-new-privileges" in one for one in host["SecurityOpt"]),
        "a health check": found["State"].get("Health", {}).get("Status") != "healthy",
    }
    missing = [what for what, is_wrong in wrong.items() if is_wrong]
    if missing:
        raise Surprise(f"{service} lacks {', '.join(missing)}")
