"""The pulse between the supervisor and its workers: two pipes a worker.

The worker writes a byte each quarter of a second from its event loop, so a loop that hangs shows.
Its first byte, `R`, says that it is ready; one that cannot start writes `F` and, to the end of
the pipe, the line that says why. The other pipe is never written: when the supervisor ends,
however it ends, the kernel closes it and the worker knows that it is alone.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from enum import Enum

BEAT_SECONDS = 0.25

_REASON_BYTES = 4000  # a pipe takes so much in one piece


class Beat(bytes, Enum):
    """What a worker writes."""

    READY = b"R"
    ALIVE = b"."
    FAILED = b"F"


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
        for each in (beat_fd, life_fd):  # not for the processes that objects may start
            os.set_inheritable(each, False)  # noqa: FBT003 - it takes it in no other way

    def ready(self) -> None:
        """Say that clients are served, and beat from now on; needs a running loop."""
        self._write(Beat.READY.value)
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def failed(self, line: str) -> None:
        """Say why there was no start; on standard error if there is nobody else to tell."""
        try:
            os.write(self._beat_fd, Beat.FAILED.value + line.encode()[:_REASON_BYTES])
        except OSError:
            sys.stderr.write(f"{line}\n")

    def over(self) -> None:
        """Say that nothing is served any more: from here on the process only ends.

        That takes a moment, longer on a busy machine, and must not be taken for a hang.
        """
        self._left_alone = True
        os.close(self._beat_fd)

    def watch_supervisor(self) -> None:
        """End in good order when the supervisor is gone; needs a running loop."""
        asyncio.get_running_loop().add_reader(self._life_fd, self._alone)

    def _beat(self) -> None:
        if self._left_alone:
            return
        self._write(Beat.ALIVE.value)
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _alone(self) -> None:
        """Ask ourselves to stop, once: a second SIGTERM would force the end."""
        if self._left_alone:
            return
        self._left_alone = True
        asyncio.get_running_loop().remove_reader(self._life_fd)
        os.kill(os.getpid(), signal.SIGTERM)

    def _write(self, beat: bytes) -> None:
        try:
            os.write(self._beat_fd, beat)
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
        self._failure: bytearray | None = None
        self.over = False
        """Whether the worker has said its last: its end of the pipe is closed."""
        self._read_fd, self.beat_fd = os.pipe()
        try:
            self.life_fd, self._life_end = os.pipe()
        except OSError:
            os.close(self._read_fd)
            os.close(self.beat_fd)
            raise
        os.set_blocking(self._read_fd, False)
        asyncio.get_running_loop().add_reader(self._read_fd, self._read)

    @property
    def reason(self) -> str:
        """Why the worker could not start, in one line; empty when it did not say."""
        return (self._failure or b"").decode(errors="replace")

    def started(self) -> None:
        """The worker has its ends, or will never have them: close them here."""
        os.close(self.beat_fd)
        os.close(self.life_fd)

    def close(self) -> None:
        """The worker is gone; what it still said is read."""
        self._read()
        asyncio.get_running_loop().remove_reader(self._read_fd)
        os.close(self._read_fd)
        os.close(self._life_end)

    def _read(self) -> None:
        try:
            beats = os.read(self._read_fd, 4096)
        except BlockingIOError:
            return
        if not beats:
            self.over = True
            asyncio.get_running_loop().remove_reader(self._read_fd)
            return
        if self._failure is None:
            beats, failed, reason = beats.partition(Beat.FAILED.value)
            if failed:
                self._failure = bytearray(reason)
        else:
            self._failure += beats
        self._heard(Beat.READY.value in beats)
