"""A worker process as its supervisor sees it: what counts as a sign of life, and what as an end."""

import os
import sys

import pytest

from app.cli.worker_process import WorkerEnd, WorkerProcess, WorkerState
from app.core.clock import SystemClock

SILENCE_SECONDS = 0.1
READY_AND_SILENT = "import os, sys, time; os.write(int(sys.argv[1]), b'R'); time.sleep(60)"
READY_AND_OVER = (
    "import os, sys, time; os.write(int(sys.argv[1]), b'R'); os.close(int(sys.argv[1])); "
    "time.sleep(1); sys.exit(3)"
)


async def end_of(program: str) -> WorkerEnd:
    null_fd = os.open(os.devnull, os.O_RDONLY)
    worker = WorkerProcess(
        0,
        command=lambda _slot, beat, _life: [sys.executable, "-c", program, str(beat)],
        environment={},
        listen_fd=null_fd,
        silence_seconds=SILENCE_SECONDS,
        leave_seconds=60.0,
        clock=SystemClock(),
        changed=lambda: None,
    )
    try:
        return await worker.run_once()
    finally:
        os.close(null_fd)


@pytest.mark.parametrize(
    ("program", "status"), [(READY_AND_SILENT, -9), (READY_AND_OVER, 3)], ids=["silent", "over"]
)
async def test_a_worker_that_falls_silent_is_killed_and_one_that_has_said_its_last_is_not(
    program: str, status: int
) -> None:
    end = await end_of(program)
    assert (end.status, end.state) == (status, WorkerState.READY)
