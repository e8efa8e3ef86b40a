"""One lock file for each worker slot of a node, held by the worker's own process.

The data directory's lock is the supervisor's; when that one dies its workers may live on for a
moment. Their rows may be buried only when *their* locks are free: then the kernel says that they
are gone (architecture, section 7, 'proof of death').
"""

import fcntl
import os
import re
from pathlib import Path

from ..core.clock import Clock
from ..core.errors import DataDirectoryInUse

_NAME = re.compile(r"worker-(\d+)\.lock")
_POLL_SECONDS = 0.05


class WorkerLock:
    """The lock of one slot.

    Args:
        folder: The data directory.
        slot: Which worker.
    """

    def __init__(self, folder: Path, slot: int) -> None:
        self._path = folder / f"worker-{slot}.lock"
        self._slot = slot
        self._lock_fd: int | None = None

    def take(self) -> None:
        """Hold the lock until the process ends.

        Raises:
            DataDirectoryInUse: Another process is that worker.
        """
        if not self._try_to_take():
            raise DataDirectoryInUse(f"worker {self._slot} of {self._path.parent} runs already")

    async def wait_until_free(self, clock: Clock, *, seconds: float) -> None:
        """Return when no process holds the lock.

        Raises:
            DataDirectoryInUse: One still does after that time.
        """
        give_up_at = clock.monotonic() + seconds
        while not self._try_to_take():
            if clock.monotonic() >= give_up_at:
                raise DataDirectoryInUse(
                    f"a worker process of an earlier start still runs (slot {self._slot} of "
                    f"{self._path.parent})"
                )
            await clock.sleep(_POLL_SECONDS)
        self.release()

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _try_to_take(self) -> bool:
        lock_fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock_fd)
            return False
        self._lock_fd = lock_fd
        return True


def former_slots(folder: Path) -> list[int]:
    """The slots that ever had a worker here."""
    found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match[1]) for match in found if match is not None)
