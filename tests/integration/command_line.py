"""The `stateroom` command in a process of its own, in a folder and environment of the test's."""

import os
import re
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.settings.sources import environ

DEADLINE_SECONDS = 60
READY_LINE = re.compile(r"Stateroom is ready: (http://\S+)  \(rooms: (ws://\S+)/\{room\}\)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


def environment(**given: str) -> dict[str, str]:
    """Return the environment of the tests without any settings, and what is `given`."""
    plain = {
        name: value
        for name, value in environ.items()
        if name == "STATEROOM_TEST_RUN" or not name.startswith(("STATEROOM_", "DATABASE_URL"))
    }
    return plain | given


def stateroom(folder: Path, *arguments: str, **variables: str) -> Ended:
    """Run the command to its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "stateroom", *arguments],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return Ended(status=ended.returncode, out=ended.stdout, err=ended.stderr)


class Served:
    """`stateroom serve` between its ready line and its end.

    Args:
        folder: Its working directory.
        arguments: Further options; the port is any free one unless told.
        command: What to run in place of this checkout's `python -m stateroom`.
        variables: Its settings.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        command: Sequence[str] = (sys.executable, "-m", "stateroom"),
        **variables: str,
    ) -> None:
        # A file, not a pipe: it may be read while it grows, and nobody has to.
        self._err_fd, err_name = tempfile.mkstemp(prefix="stateroom-log-")
        Path(err_name).unlink()
        weakref.finalize(self, os.close, self._err_fd)
        port = () if "--port" in arguments else ("--port", "0")
        self.process = subprocess.Popen(
            [*command, "serve", *port, *arguments],
            cwd=folder,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=self._err_fd,
            text=True,
        )
        self.url = ""
        self.rooms = ""

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        found = READY_LINE.fullmatch(self.process.stdout.readline())
        if found is None:
            self.process.terminate()
            raise AssertionError(self.end().err)
        self.url, self.rooms = found.groups()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            # In order, for a database that is left behind would still write into the folder.
            self.process.terminate()
            try:
                self.process.communicate(timeout=DEADLINE_SECONDS)
            finally:
                self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()  # children may hold its other end

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> Ended:
        """Ask it to stop, and wait until it has."""
        self.process.terminate()
        return self.end()

    def end(self) -> Ended:
        """Wait until it has ended."""
        out, _ = self.process.communicate(timeout=DEADLINE_SECONDS)
        return Ended(status=self.process.returncode, out=out, err=self.log())

    def log(self) -> str:
        """What it has written to standard error so far."""
        size = os.fstat(self._err_fd).st_size
        return os.pread(self._err_fd, size, 0).decode("utf-8", "replace")
