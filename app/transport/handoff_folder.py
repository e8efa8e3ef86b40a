"""Where the workers of one machine find one another's doors for sockets.

A folder that only this user may enter, in the data directory; when the path would not fit the
address of a Unix socket, a short one in the system's folder for such things. A door is called
`{slot}-{worker id}`: whoever holds an object is known by its worker id, and a worker that starts
removes what earlier ones in its slot have left. An old door leads nowhere: nobody listens.
"""

import contextlib
import hashlib
import os
import socket
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

from ..core.ids import WorkerId

SUPPORTED: Final = sys.platform in {"linux", "darwin"} and hasattr(socket, "SCM_RIGHTS")
"""Whether descriptors can be handed to another process here."""
_PATH_BYTES: Final = 107 if sys.platform == "linux" else 103  # what fits in a socket address
_LONGEST_NAME: Final = "63-" + 32 * "f"
_KNOWN: Final = 256


class FolderUnsafe(OSError):
    """Somebody else could reach into the folder."""


class HandoffFolder:
    """See the module.

    Args:
        data_dir: The data directory of this machine's workers.
    """

    def __init__(self, data_dir: Path) -> None:
        inside = data_dir.absolute() / "handoff"
        self._path = _short(inside)
        self._outside = self._path != inside
        self._known: dict[WorkerId, Path] = {}

    def make(self) -> None:
        """Make the folder, or check the one that is there.

        Raises:
            OSError: It cannot be made or is not safe (`FolderUnsafe`).
        """
        self._path.mkdir(mode=0o700, exist_ok=True)
        found = self._path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise FolderUnsafe(f"{self._path} belongs to another user")
        if stat.S_IMODE(found.st_mode) != 0o700:  # noqa: PLR2004 - a mode is said in octal
            self._path.chmod(0o700)

    def door(self, slot: int, worker_id: WorkerId) -> Path:
        """The address of a worker's door."""
        return self._path / f"{slot}-{worker_id.hex}"

    def clear(self, slot: int) -> None:
        """Remove what earlier workers in a slot have left; the caller is the only one in it."""
        for path in self._path.glob(f"{slot}-*"):
            path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Remove a folder outside the data directory, once the last worker has left it."""
        if self._outside:
            with contextlib.suppress(OSError):
                self._path.rmdir()

    def find(self, worker_id: WorkerId) -> Path | None:
        """The address of a worker's door, if it is on this machine and has one."""
        known = self._known.get(worker_id)
        if known is not None:
            return known
        for path in self._path.glob(f"*-{worker_id.hex}"):
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[worker_id] = path
            return path
        return None

    def forget(self, worker_id: WorkerId) -> None:
        """Nobody listens there any more."""
        self._known.pop(worker_id, None)


def _short(path: Path) -> Path:
    """The folder itself, or one whose sockets have an address."""
    if len(os.fsencode(path / _LONGEST_NAME)) <= _PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"stateroom-h-{digest}"
