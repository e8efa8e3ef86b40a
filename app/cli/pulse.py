"""The pulse between the supervisor and its workers: two pipes a worker.

The worker writes a byte each quarter of a second from its event loop, so a loop that hangs shows.
Its first byte, `R`, says that it is ready. The other pipe is never written: when the supervisor
ends, however it ends, the kernel closes it and the worker knows that it is alone.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from enum import Enum

BEAT_SECONDS = 0.25


class Beat(bytes, Enum):
    """What a worker writes."""

    READY = b"R"
    ALIVE = b"."


class WorkerPulse:
    """The worker's end.

    Args:
        beat_fd: Where to write.
        life_fd: What ends when the supervisor does.
    """

    def __init__(self, beat_fd: int, life_fd: int) -> None:
        self._beat_fd = beat_fd
        self._life_fd = life_fd
        self._left_alone = False
        os.set_blocking(beat_fd, False)

    def ready(self) -> None:
        """Say that clients are served, and beat from now on; needs a running loop."""
        self._write(Beat.READY)
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def watch_supervisor(self) -> None:
        """End in good order when the supervisor is gone; needs a running loop."""
        asyncio.get_running_loop().add_reader(self._life_fd, self._alone)

    def _beat(self) -> None:
        if self._left_alone:
            return
        self._write(Beat.ALIVE)
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _alone(self) -> None:
        """Ask ourselves to stop, once: a second SIGTERM would force the end."""
        if self._left_alone:
            return
        self._left_alone = True
        asyncio.get_running_loop().remove_reader(self._life_fd)
        os.kill(os.getpid(), signal.SIGTERM)

    def _write(self, beat: Beat) -> None:
        try:
            os.write(self._beat_fd, beat.value)
        except BlockingIOError:
            pass  # a supervisor that is busy reads later; one byte more says nothing new
        except OSError:
            self._alone()


class SupervisorPulse:
    """The supervisor's end, for one worker.

    Args:
        heard: Called at each sign of life, with whether the worker has just become ready.
    """

    def __init__(self, heard: Callable[[bool], None]) -> None:
        self._heard = heard
        self._read_fd, self.beat_fd = os.pipe()
        self.life_fd, self._life_end = os.pipe()
        os.set_blocking(self._read_fd, False)
        asyncio.get_running_loop().add_reader(self._read_fd, self._read)

    def started(self) -> None:
        """The worker has its ends: close them here."""
        os.close(self.beat_fd)
        os.close(self.life_fd)

    def close(self) -> None:
        """The worker is gone."""
        asyncio.get_running_loop().remove_reader(self._read_fd)
        os.close(self._read_fd)
        os.close(self._life_end)

    def _read(self) -> None:
        try:
            beats = os.read(self._read_fd, 4096)
        except BlockingIOError:
            return
        if beats:
            self._heard(Beat.READY.value in beats)
        else:
            asyncio.get_running_loop().remove_reader(self._read_fd)
