"""One `postgres` process of ours: started, known to be ready, stopped.

It is a direct child, in a session of its own (Ctrl-C must not reach it before we have flushed),
and on Linux it is told to stop when we die. It counts as ready only when `postmaster.pid` names
our child: after a SIGKILL of an earlier supervisor an orphan may still answer on the socket. An
orphan is stopped and waited for; the caller holds the data directory's lock, so nobody needs it.
"""

import ctypes
import os
import platform
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from ..core.clock import Clock
from ..core.errors import EmbeddedPostgresFailed
from .cluster_dir import ClusterDir

_log = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 0.01
_ORPHAN_SECONDS: Final = 30.0
_QUIT_SECONDS: Final = 5.0
# Backends of a postmaster that was killed take a moment to notice; until then the next one
# refuses to start. So a start that fails within this time is tried again.
_LEFTOVER_SECONDS: Final = 10.0
_LOG_KEEP_BYTES: Final = 1 << 20
_LOG_TOLD_LINES: Final = 6
_PID_LINE: Final = 0
_STATUS_LINE: Final = 7
_ACCEPTS: Final = ("ready", "standby")
_PR_SET_PDEATHSIG: Final = 1


class Postmaster:
    """See the module.

    Args:
        cluster: What to run.
        socket_dir: Where its socket goes.
        log_path: Where what it says goes.
        settings: Server settings by name.
        clock: For the waits.
    """

    def __init__(
        self,
        cluster: ClusterDir,
        *,
        socket_dir: Path,
        log_path: Path,
        settings: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._cluster = cluster
        self._socket_dir = socket_dir
        self._log_path = log_path
        self._settings = settings
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    async def start(self, *, seconds: float) -> None:
        """Start it and wait until it is ready; crash recovery counts, so be generous.

        Raises:
            EmbeddedPostgresFailed: It ended, or was not ready in time.
        """
        await self._clear_orphan()
        began = self._clock.monotonic()
        self._spawn()
        while not self._ready():
            waited = self._clock.monotonic() - began
            if self._child is not None and self._child.poll() is not None:
                if waited > _LEFTOVER_SECONDS or not self._leftover_told():
                    raise self._failed("ended at its start")
                await self._clock.sleep(_POLL_SECONDS * 10)
                self._spawn()
            elif waited > seconds:
                await self.stop(seconds=_QUIT_SECONDS)
                raise self._failed(f"was not ready after {seconds:.0f} seconds")
            await self._clock.sleep(_POLL_SECONDS)

    async def stop(self, *, seconds: float) -> None:
        """Stop it: fast shutdown, then immediate, then by force. Harmless when it is not there."""
        child = self._child
        if child is None:
            return
        steps = ((signal.SIGINT, seconds), (signal.SIGQUIT, _QUIT_SECONDS), (signal.SIGKILL, 60.0))
        for sent, patience in steps:
            if child.poll() is None:
                child.send_signal(sent)
            deadline = self._clock.monotonic() + patience
            while child.poll() is None and self._clock.monotonic() < deadline:
                await self._clock.sleep(_POLL_SECONDS)
            if child.poll() is not None:
                return
            _log.warning("embedded_postgres_slow_to_stop", signal=sent.name)

    async def wait(self) -> int:
        """Wait until it ends, by itself or by `stop`; returns its exit status."""
        while True:
            status = None if self._child is None else self._child.poll()
            if status is not None:
                return status
            await self._clock.sleep(_POLL_SECONDS * 10)

    def _spawn(self) -> None:
        cluster = self._cluster
        command = [str(cluster.binaries.postgres), "-D", str(cluster.path)]
        command += ["-k", str(self._socket_dir)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        stale = _pid_file(cluster.path)
        # A pid file that a crash left behind may name a process id that is somebody else's by
        # now (always so in containers). This variable tells Postgres to overlook that one.
        environment = {"PG_GRANDPARENT_PID": stale[_PID_LINE]} if stale else {}
        self._log_path.touch(mode=0o600)
        mode = "ab" if self._log_bytes() < _LOG_KEEP_BYTES else "wb"
        with self._log_path.open(mode) as log:
            self._log_start = log.tell()
            self._child = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"LC_ALL": "C", **environment},
                start_new_session=True,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one system call, resolved before
                **(cluster.user.popen_arguments if cluster.user is not None else {}),
            )

    def _ready(self) -> bool:
        lines = _pid_file(self._cluster.path)
        return (
            self._child is not None
            and self._child.poll() is None
            and len(lines) > _STATUS_LINE
            and lines[_PID_LINE] == str(self._child.pid)
            and lines[_STATUS_LINE] in _ACCEPTS
        )

    async def _clear_orphan(self) -> None:
        lines = _pid_file(self._cluster.path)
        if not lines or not lines[_PID_LINE].isdigit():
            return
        pid = int(lines[_PID_LINE])
        began = self._clock.monotonic()
        told: signal.Signals | None = None
        while _runs_here(pid, self._cluster.path):
            waited = self._clock.monotonic() - began
            if waited > _ORPHAN_SECONDS:
                raise EmbeddedPostgresFailed(
                    f"a Postgres of an earlier start (process {pid}) does not stop",
                    remedy=f"End process {pid} by hand and start again.",
                )
            wanted = signal.SIGQUIT if waited > _ORPHAN_SECONDS / 2 else signal.SIGINT
            if told is not wanted:
                _log.warning("embedded_postgres_orphan", pid=pid, signal=wanted.name)
                _send(pid, wanted)
                told = wanted
            await self._clock.sleep(_POLL_SECONDS)

    def _leftover_told(self) -> bool:
        return any("still in use" in line or "already exists" in line for line in self._said())

    def _said(self) -> list[str]:
        try:
            with self._log_path.open("rb") as log:
                log.seek(self._log_start)
                return log.read().decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []

    def _log_bytes(self) -> int:
        return self._log_path.stat().st_size if self._log_path.exists() else 0

    def _failed(self, what: str) -> EmbeddedPostgresFailed:
        last = " | ".join(self._said()[-_LOG_TOLD_LINES:]) or "it said nothing"
        return EmbeddedPostgresFailed(
            f"the embedded Postgres {what}: {last}",
            remedy=f"See {self._log_path}, or give --database-url.",
        )


def _pid_file(cluster: Path) -> list[str]:
    """The lines of `postmaster.pid`; none when there is no such file."""
    try:
        text = (cluster / "postmaster.pid").read_text("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines()]


def _runs_here(pid: int, cluster: Path) -> bool:
    """Whether `pid` is a living Postgres of that cluster, and not a zombie or a namesake."""
    if platform.system() == "Linux":
        process = Path(f"/proc/{pid}")
        try:
            state = (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
            at_home = (process / "cwd").samefile(cluster)  # a postmaster lives in its cluster
        except OSError:
            return False
        return at_home and state not in ("Z", "X")
    told = subprocess.run(  # noqa: S603 - no word of it comes from outside
        ["/bin/ps", "-p", str(pid), "-o", "stat=,command="],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return str(cluster) in told and not told.startswith("Z")


def _send(pid: int, sent: signal.Signals) -> None:
    try:
        os.kill(pid, sent)
    except ProcessLookupError:
        return


def _die_with_parent() -> Callable[[], None] | None:
    """A hook for the child: on Linux the kernel then tells it when the forking thread ends.

    None elsewhere, and off the main thread, whose end would mean nothing.
    """
    if platform.system() != "Linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def tell_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)

    return tell_kernel
