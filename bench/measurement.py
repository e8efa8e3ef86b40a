"""One cell of the table: one scenario on one server, in a fresh process with fresh data."""

from __future__ import annotations

import gc
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.client import HOST
from bench.fanout import FanoutRun
from bench.figures import Cell, Figures
from bench.join import JoinRun
from bench.joiner import Look, look_into
from bench.process import ServerProcess
from bench.scenarios import Fanout, Join, Scenario
from bench.usage import quiet_machine

if TYPE_CHECKING:
    from bench.options import Options
    from bench.servers import Server

KILL_BURST_SECONDS = 0.5


def obstacle(server: Server, scenario: Scenario) -> str | None:
    """Return why this server cannot run this scenario here, None if it can."""
    if isinstance(scenario, Join) and not server.replica:
        return "it holds no data to join"
    return server.obstacle()


async def measure(
    server: Server, scenario: Scenario, *, number: int, kill: bool, options: Options
) -> Cell:
    """Start the server, run the scenario, verify, stop it. Failures become faults of the cell.

    With `kill` a durable server is killed at the last delivery of a burst and started again on the
    same data, to count what it lost.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        measurement = _Measurement(server, scenario, Path(folder), options)
        faults: list[str] = []
        await quiet_machine(options.quiet_seconds)
        try:
            await measurement.run(kill=kill and server.durable)
        except Exception as error:  # noqa: BLE001 -- a server under test may do anything
            faults.append(f"{type(error).__name__}: {error}")
        finally:
            await measurement.stop()
        return Cell(
            server=server.name,
            scenario=scenario.name,
            round=number,
            figures=measurement.figures,
            faults=[*measurement.faults, *faults],
            missing_in_replica=measurement.missing_in_replica,
            missing_after_kill=measurement.missing_after_kill,
            wrong_hashes=measurement.wrong_hashes,
        )


class _Measurement:
    """The steps of one cell and what they found out so far."""

    def __init__(self, server: Server, scenario: Scenario, folder: Path, options: Options) -> None:
        self.figures: Figures | None = None
        self.faults: list[str] = []
        self.missing_in_replica: int | None = None
        self.missing_after_kill: int | None = None
        self.wrong_hashes: int | None = None
        self._server = server
        self._scenario = scenario
        self._folder = folder
        folder.chmod(0o711)  # an embedded Postgres may run as another user below it
        self._options = options
        self._process: ServerProcess | None = None

    async def run(self, *, kill: bool) -> None:
        """Do it all but the stopping."""
        process = await self._start()
        if isinstance(self._scenario, Fanout):
            fanout = FanoutRun(self._scenario, self._server, process)
            await self._load(fanout)
            if kill and not self.faults:
                await self._kill_and_look(fanout)
        else:
            await self._load(JoinRun(self._scenario, self._server, process))

    async def stop(self) -> None:
        """Stop the server if it runs."""
        if self._process is not None:
            await self._process.stop()
            self._process = None

    async def _start(self) -> ServerProcess:
        port, data = free_port(), self._folder / "data"
        self._process = ServerProcess(
            self._server.command(port, data),
            port=port,
            log=self._folder / "log",
            env=self._server.env,
        )
        await self._process.ready(self._server.ready_path)
        return self._process

    async def _load(self, run: FanoutRun | JoinRun) -> None:
        """Measure, with the collector of this process out of the way, and verify the replica."""
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            await run.open()
            self.figures = await run.measure(self._options)
            if self._server.replica:
                look = await self._look(run)
                self.missing_in_replica, self.wrong_hashes = look.missing, look.wrong_hashes
        finally:
            self.faults.extend(run.faults)
            if self.faults or isinstance(run, JoinRun):
                run.close()
            gc.enable()
            gc.unfreeze()
        if self.missing_in_replica and self._server.ours:
            self.faults.append(f"the replica lacks {self.missing_in_replica} cells")
        if self.wrong_hashes and self._server.ours:
            self.faults.append(f"{self.wrong_hashes} rooms told wrong hashes")

    async def _kill_and_look(self, run: FanoutRun) -> None:
        await run.burst(KILL_BURST_SECONDS)
        self.faults.extend(run.faults)
        if self._process is not None:
            await self._process.kill()
            self._process = None
        run.close()
        await self._start()
        self.missing_after_kill = (await self._look(run)).missing
        if self.missing_after_kill and self._server.ours:
            self.faults.append(f"{self.missing_after_kill} delivered cells were lost by a kill")

    async def _look(self, run: FanoutRun | JoinRun) -> Look:
        assert self._process is not None  # noqa: S101 -- only asked while the server runs
        expected = [(room.path, room.ledger.cells) for room in run.rooms]
        return await look_into(self._process.port, expected)


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
