"""The folder that makes a machine one node: its lock, its random id, and the boot it runs in.

Whoever holds the lock is the only one at work here. That is also the **proof of death** of the
node's earlier processes: the kernel frees the lock when its holder is gone, so in the same boot
nobody of before can be alive once we have it (architecture, section 7, 'Leases').
"""

import fcntl
import os
import platform
import secrets
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ..core.errors import ConfigurationInvalid, DataDirectoryInUse

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_ID_BYTES: Final = 16


class DataDirectory:
    """A data directory; locked between `lock` and `unlock`, or as a context manager.

    Args:
        path: The folder; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock_fd: int | None = None

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.unlock()

    @property
    def locked(self) -> bool:
        """Whether we hold the lock."""
        return self._lock_fd is not None

    def lock(self) -> None:
        """Take the exclusive lock, without waiting.

        Raises:
            DataDirectoryInUse: Another process (or another `DataDirectory` of ours) holds it.
            ConfigurationInvalid: The folder cannot be made or written.
        """
        try:
            self._make()
            lock_fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationInvalid(
                f"the data directory {self.path} cannot be used: {error.strerror}",
                remedy="Give a folder that this user may write with --data-dir.",
            ) from error
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock_fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(lock_fd)
            raise DataDirectoryInUse(
                f"the data directory {self.path} is in use by process {holder}"
            ) from error
        os.ftruncate(lock_fd, 0)
        os.pwrite(lock_fd, f"{os.getpid()}\n".encode(), 0)
        self._lock_fd = lock_fd

    def unlock(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    @property
    def node_id(self) -> str:
        """The random id of this node; made at its first reading, while the lock is held."""
        path = self.path / "node_id"
        try:
            return path.read_text("ascii").strip()
        except FileNotFoundError:
            made = secrets.token_hex(_ID_BYTES)
            unfinished = path.with_suffix(".new")
            unfinished.write_text(f"{made}\n", "ascii")
            unfinished.replace(path)
            return made

    def _make(self) -> None:
        # Root's Postgres runs as another user, who must be able to pass through, not to look.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        if not self.path.is_dir():
            self.path.mkdir(parents=True)
            self.path.chmod(mode)


def boot_id() -> str:
    """An id of the machine's present boot.

    Where there is none, a random one: then nothing is ever taken for dead by it.
    """
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text("ascii").strip()
    if platform.system() == "Darwin":
        told = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode == 0:
            return told.stdout.strip()
    return secrets.token_hex(_ID_BYTES)
