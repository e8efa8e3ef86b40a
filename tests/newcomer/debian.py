"""A clean Debian with a clean clone in it, as somebody's new machine would be.

A root file system of mmdebstrap with what the README asks for, an ordinary user, and the
committed state of this checkout. Processes live in namespaces of their own and end with them; the
network is the machine's.
"""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from tests.architecture.sources import ROOT

PACKAGES: Final = ("ca-certificates", "curl", "make", "python3", "python3-venv")
USER: Final = "newcomer"
HOME: Final = f"/home/{USER}"
CLONE: Final = f"{HOME}/stateroom"

_SUITE: Final = "bookworm"
_USER_ID: Final = 1000
_COMMAND_SECONDS: Final = 120
_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_ENTER: Final = """
mount --make-rprivate /
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
cp -L /etc/resolv.conf "$1/etc/resolv.conf"
exec chroot --userspec=newcomer:newcomer "$1" /usr/bin/env -i HOME=/home/newcomer LANG=C.UTF-8 \
    PATH=/usr/local/bin:/usr/bin:/bin PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    /bin/sh -c "cd $2 && $3"
"""


class NotRun(Exception):
    """The test could not begin; the text is the reason."""


class Debian:
    """See the module.

    Args:
        folder: Gets the root file system.
    """

    def __init__(self, folder: Path) -> None:
        self._root = folder / "root"

    def make(self) -> None:
        """Make it. Raises NotRun."""
        missing = [tool for tool in ("mmdebstrap", "unshare", "git") if shutil.which(tool) is None]
        if missing or os.geteuid() != 0:
            raise NotRun(f"only root can make a clean system, with mmdebstrap; missing: {missing}")
        options = ["--variant=minbase", f"--include={','.join(PACKAGES)}"]
        made = subprocess.run(
            ["mmdebstrap", *options, _SUITE, self._root],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise NotRun(f"mmdebstrap failed: {made.stderr[-300:]}")
        if _AUTHORITIES.exists():  # the way out of this machine may lead through a proxy
            shutil.copy(_AUTHORITIES, f"{self._root}{_AUTHORITIES}")
        subprocess.run(
            ["chroot", self._root, "useradd", "--create-home", "--uid", str(_USER_ID), USER],
            check=True,
        )
        clone = Path(f"{self._root}{CLONE}")
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        subprocess.run(["chown", "-R", f"{_USER_ID}:{_USER_ID}", clone], check=True)

    def start(self, command: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Begin a command in the clone, until `end`."""
        return subprocess.Popen(
            self._entered(command), stdout=log, stderr=log, start_new_session=True
        )

    @staticmethod
    def end(process: subprocess.Popen[bytes]) -> None:
        """End all that a command has started.

        The first process of its namespace is killed by its group: that it should end with `unshare`
        is forgotten by the kernel when it becomes another user.
        """
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def run(self, command: str) -> str:
        """Run a command in the clone and return what it prints. Raises RuntimeError."""
        done = subprocess.run(
            self._entered(command),
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"$ {command}\nstatus {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def _entered(self, command: str) -> list[str]:
        namespaces = ["unshare", "--mount", "--pid", "--fork"]
        return [*namespaces, "sh", "-ec", _ENTER, "sh", str(self._root), CLONE, command]
