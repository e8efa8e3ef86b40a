"""One slot of a supervisor: a worker process after another, watched from its start to its end."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from subprocess import Popen

import structlog

from ..core.clock import Clock
from .patience import Silence
from .pulse import SupervisorPulse

START_SECONDS = 60.0
"""How long a worker may take to become ready, or to be gone when it serves nobody any more."""

_POLL_SECONDS = 0.02

_log = structlog.get_logger("stateroom.supervisor")


class WorkerState(Enum):
    """DOWN -> STARTING -> READY; from each of them back to DOWN, by way of LEAVING if asked."""

    DOWN = auto()
    STARTING = auto()
    READY = auto()
    LEAVING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEnd:
    """How a process of a slot ended.

    Attributes:
        status: Its exit status; a signal's number, negative, if one killed it.
        state: What it was until then.
        lived_seconds: From its start to its end.
        reason: Why it could not start, in one line, if it said so.
    """

    status: int
    state: WorkerState
    lived_seconds: float
    reason: str = ""

    @property
    def orderly(self) -> bool:
        """Whether nothing was left undone: before it is ready it has nothing to do."""
        abandoned = self.state is WorkerState.STARTING and self.status == -signal.SIGTERM
        return self.status == 0 or abandoned

    def __str__(self) -> str:
        if self.reason:
            return self.reason
        if self.status < 0:
            return f"it was ended by {signal.Signals(-self.status).name}"
        return f"it ended with status {self.status}"


class WorkerProcess:
    """See the module.

    Args:
        slot: Which worker.
        command: Makes the command line, given the slot and the pulse's two descriptors.
        environment: Of the processes.
        listen_fd: The shared listening socket.
        silence_seconds: How long without a sign of life before a ready one is killed.
        leave_seconds: How long one that was asked to leave may take before it is killed.
        clock: For the waits.
        changed: Called when a process has become ready.
    """

    def __init__(
        self,
        slot: int,
        *,
        command: Callable[[int, int, int], list[str]],
        environment: Mapping[str, str],
        listen_fd: int,
        silence_seconds: float,
        leave_seconds: float,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self.slot = slot
        self.state = WorkerState.DOWN
        self.starts = 0
        """How many processes there were, this one included."""
        self.has_served = False
        """Whether a process of it has ever been ready, so that it can start here."""
        self._command = command
        self._environment = environment
        self._listen_fd = listen_fd
        self._silence_seconds = silence_seconds
        self._leave_seconds = leave_seconds
        self._clock = clock
        self._changed = changed
        self._process: Popen[bytes] | None = None
        self._silence = Silence(0.0)
        self._leave_by = float("inf")

    async def run_once(self) -> WorkerEnd:
        """Start a process and wait for its end. Cancelling leaves it running.

        Raises:
            OSError: The system can start none at the moment.
        """
        pulse = SupervisorPulse(self._heard)
        try:
            try:
                process = self._start(pulse)
            finally:
                pulse.started()
            started_at = self._clock.monotonic()
            status = await self._wait(process, pulse)
        finally:
            pulse.close()
            state, self.state = self.state, WorkerState.DOWN
        return WorkerEnd(
            status=status,
            state=state,
            lived_seconds=self._clock.monotonic() - started_at,
            reason=pulse.reason,
        )

    def leave(self) -> None:
        """Ask the running process to stop in good order; it is killed when that takes too long."""
        if self.state in (WorkerState.STARTING, WorkerState.READY):
            if self.state is WorkerState.READY:
                self.state = WorkerState.LEAVING
            self._leave_by = self._clock.monotonic() + self._leave_seconds
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the running process at once."""
        self._signal(signal.SIGKILL)

    def _start(self, pulse: SupervisorPulse) -> Popen[bytes]:
        self._process = Popen(  # noqa: S603 - ourselves; a fork takes a millisecond
            self._command(self.slot, pulse.beat_fd, pulse.life_fd),
            env=dict(self._environment),
            pass_fds=(self._listen_fd, pulse.beat_fd, pulse.life_fd),
        )
        self.starts += 1
        self.state = WorkerState.STARTING
        self._silence = Silence(self._clock.monotonic())
        self._leave_by = float("inf")
        return self._process

    async def _wait(self, process: Popen[bytes], pulse: SupervisorPulse) -> int:
        killed = False
        while (status := process.poll()) is None:
            await self._clock.sleep(_POLL_SECONDS)
            if not killed and (reason := self._unbearable(pulse)):
                _log.error(reason, slot=self.slot, process=process.pid)
                process.kill()
                killed = True
        return status

    def _unbearable(self, pulse: SupervisorPulse) -> str:
        """Why the process must be killed; empty when it need not."""
        now = self._clock.monotonic()
        silent = self._silence.seconds(now)
        serves = self.state is not WorkerState.STARTING and not pulse.over
        if silent > (self._silence_seconds if serves else START_SECONDS):
            return "worker_silent"
        return "worker_slow_to_leave" if now > self._leave_by else ""

    def _heard(self, became_ready: bool) -> None:  # noqa: FBT001 - the pulse's one fact
        self._silence.heard()
        if became_ready and self.state is WorkerState.STARTING:
            self.state = WorkerState.READY
            self.has_served = True
            self._changed()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)  # does nothing once it has been reaped
