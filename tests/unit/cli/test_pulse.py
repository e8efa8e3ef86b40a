"""The pulse of a worker: what it does when it is left alone."""

import asyncio
import errno
import os
import signal

import pytest

from app.cli.pulse import SupervisorPulse, WorkerPulse


async def test_a_worker_that_is_left_alone_asks_itself_to_stop_once_however_often_it_notices() -> (
    None
):
    loop = asyncio.get_running_loop()
    heard, beat_fd = os.pipe()
    life_fd, life_end = os.pipe()
    asked: list[int] = []
    told = asyncio.Event()

    def stop() -> None:
        asked.append(signal.SIGTERM)
        told.set()

    seen = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGUSR1, seen.set)
    try:
        pulse = WorkerPulse(beat_fd, life_fd)
        pulse.watch_supervisor()
        os.close(heard)
        os.close(life_end)
        await told.wait()
        pulse.ready()  # the pipe is broken too, and a second SIGTERM would force the end
        pulse._beat()
        os.kill(os.getpid(), signal.SIGUSR1)
        await seen.wait()  # what we send ourselves comes in order
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)
        loop.remove_signal_handler(signal.SIGTERM)
        os.close(beat_fd)
        os.close(life_fd)
    assert asked == [signal.SIGTERM]


async def test_a_supervisor_that_has_no_descriptors_left_for_a_pulse_loses_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    pipe = os.pipe

    def only_one() -> tuple[int, int]:
        if made:
            raise OSError(errno.EMFILE, "too many open files")
        made.extend(pipe())
        return made[0], made[1]

    monkeypatch.setattr(os, "pipe", only_one)
    with pytest.raises(OSError, match="too many"):
        SupervisorPulse(lambda _ready: None)
    for descriptor in made:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
