"""The embedded Postgres: a server of our own in the data directory, for a start without one.

    with DataDirectory(path) as directory:
        async with EmbeddedPostgres(directory) as postgres:
            await migrate(postgres.url)

Durable like any other: nothing here turns fsync or synchronous commit off. It listens on a
socket in a closed folder, on no port.
"""

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self
from urllib.parse import quote

from ..core.clock import Clock, SystemClock
from ..core.errors import EmbeddedPostgresFailed
from .binaries import find_binaries
from .cluster_dir import SUPERUSER, ClusterDir, prepare_cluster
from .data_directory import DataDirectory
from .postmaster import Postmaster

_SOCKET_NAME: Final = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES: Final = 107  # what fits in a socket address
_URL_FILE: Final = "postgres_url"

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "shared_buffers": "64MB",
        "max_connections": "60",
        "max_wal_size": "512MB",
        # The plans here are small and hot; compiling one costs more than running it.
        "jit": "off",
        # One worker vacuums a small machine well enough, and the default naps a minute.
        "autovacuum_max_workers": "2",
        "autovacuum_naptime": "15s",
        # A log that never quotes what users stored.
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_checkpoints": "off",
    }
)


class EmbeddedPostgres:
    """See the module. Start it from the main thread: its life hangs on that thread's on Linux.

    Args:
        directory: A locked data directory.
        bin_dir: The folder of `postgres` that the operator named, if any.
        settings: Server settings over `SETTINGS`.
        start_seconds: How long it may take to be ready, crash recovery included.
        stop_seconds: How long an orderly stop may take.
        clock: For the waits.
    """

    def __init__(
        self,
        directory: DataDirectory,
        *,
        bin_dir: Path | None = None,
        settings: Mapping[str, str] | None = None,
        start_seconds: float = 300.0,
        stop_seconds: float = 15.0,
        clock: Clock | None = None,
    ) -> None:
        self._directory = directory
        self._bin_dir = bin_dir
        self._settings = {**SETTINGS, **(settings or {})}
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._clock = clock or SystemClock()
        self._postmaster: Postmaster | None = None
        self._short_dir: Path | None = None
        self._url = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """How to reach it; empty before `start`."""
        return self._url

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._postmaster.pid if self._postmaster is not None else None

    async def start(self) -> str:
        """Make the cluster if there is none, start the server, and return its URL.

        Cancelling stops what was started.

        Raises:
            EmbeddedPostgresFailed: With the last lines of the server's log, and a remedy.
        """
        if not self._directory.locked:
            raise EmbeddedPostgresFailed("the data directory is not locked")
        binaries = await asyncio.to_thread(find_binaries, self._bin_dir)
        cluster = await asyncio.to_thread(prepare_cluster, self._directory, binaries)
        socket_dir = _socket_dir(cluster)
        self._short_dir = socket_dir if socket_dir != cluster.path else None
        self._postmaster = Postmaster(
            cluster,
            socket_dir=socket_dir,
            log_path=self._directory.path / "postgres.log",
            settings=self._settings,
            clock=self._clock,
        )
        try:
            await self._postmaster.start(seconds=self._start_seconds)
        except BaseException:
            await self.stop()
            raise
        self._url = f"postgresql://{SUPERUSER}@/postgres?host={quote(str(socket_dir), safe='')}"
        _url_file(self._directory.path).write_text(self._url, encoding="utf-8")
        return self._url

    async def stop(self) -> None:
        """Stop the server in good order; harmless when it does not run."""
        if self._postmaster is not None:
            _url_file(self._directory.path).unlink(missing_ok=True)
            await self._postmaster.stop(seconds=self._stop_seconds)
        if self._short_dir is not None:
            with contextlib.suppress(OSError):
                self._short_dir.rmdir()

    async def wait(self) -> int:
        """Wait until the server ends; returns its exit status. Cancelling is safe."""
        if self._postmaster is None:
            raise EmbeddedPostgresFailed("the embedded Postgres was not started")
        return await self._postmaster.wait()


def url_left_in(data_dir: Path) -> str | None:
    """How `psql` reaches the server that runs on this data directory; None when none was started.

    After a SIGKILL it tells how the server was reached; whether one runs, the lock tells.
    """
    try:
        return _url_file(data_dir).read_text(encoding="utf-8")
    except OSError:
        return None


def _url_file(data_dir: Path) -> Path:
    return data_dir / _URL_FILE


def _socket_dir(cluster: ClusterDir) -> Path:
    """The cluster's own folder, or a short one when its path does not fit a socket address.

    Raises:
        EmbeddedPostgresFailed: The short folder is there and belongs to somebody else.
    """
    if len(os.fsencode(cluster.path / _SOCKET_NAME)) <= _SOCKET_PATH_BYTES:
        return cluster.path
    digest = hashlib.sha256(os.fsencode(cluster.path)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"stateroom-{digest}"
    owner = cluster.user.uid if cluster.user is not None else os.geteuid()
    short.mkdir(mode=0o700, exist_ok=True)
    if cluster.user is not None and short.stat().st_uid == 0:
        os.chown(short, cluster.user.uid, cluster.user.gid)
    if short.is_symlink() or short.stat().st_uid != owner:
        raise EmbeddedPostgresFailed(
            f"{short} belongs to another user", remedy="Choose a shorter --data-dir."
        )
    return short
