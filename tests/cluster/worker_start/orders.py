"""Lets a worker of these tests drain for a moment, or move rooms, when it is told by a signal."""

import asyncio
import random
import signal
from contextlib import suppress

from app.core.clock import SystemClock
from app.core.errors import StateroomError
from app.core.tasks import TaskOwner
from app.wiring.service import Service

LONGEST_DRAIN_SECONDS = 1.5
ROOMS_AT_ONCE = 4


def take_orders() -> None:
    """Have every service of this process obey: SIGUSR1 drains it, SIGUSR2 moves rooms."""
    start = Service.start
    tasks = TaskOwner("orders")

    async def start_and_obey(self: Service) -> None:
        await start(self)
        loop = asyncio.get_running_loop()
        orders = {signal.SIGUSR1: _drain_for_a_moment, signal.SIGUSR2: _move_rooms}

        def obey(number: signal.Signals) -> None:
            tasks.start(orders[number](self), name="order")

        for number in orders:
            loop.add_signal_handler(number, obey, number)

    setattr(Service, "start", start_and_obey)  # noqa: B010 - mypy refuses the plain assignment


async def _drain_for_a_moment(service: Service) -> None:
    mover = service.mover
    assert mover is not None
    with suppress(StateroomError):
        await mover.drain_worker()
    await SystemClock().sleep(random.uniform(0, LONGEST_DRAIN_SECONDS))
    with suppress(StateroomError):
        await mover.undrain()


async def _move_rooms(service: Service) -> None:
    mover, registry = service.mover, service._registry
    assert mover is not None
    assert registry is not None
    here = [room.object_id for room in registry.rooms]
    for object_id in random.sample(here, k=min(len(here), ROOMS_AT_ONCE)):
        with suppress(StateroomError):
            await mover.move(object_id)
