"""One worker under a supervisor: the server of a single process on a socket it was given."""

import signal
from socket import socket

from ..core.errors import ConfigurationInvalid
from ..settings import Settings
from ..wiring import Service, WorkerPlace
from .pulse import WorkerPulse
from .server import run_server


def run_worker(
    settings: Settings, *, slot: int, node: str, listener: socket, pulse: WorkerPulse
) -> bool:
    """Serve until a signal, or until the supervisor is gone; return whether the end was orderly.

    Raises:
        StateroomError: The worker cannot start.
    """
    url = settings.database_url
    if url is None:
        raise ConfigurationInvalid("a worker is told its database by its supervisor")
    place = WorkerPlace(node=node, slot=slot, url=url.get_secret_value())

    def build(settings: Settings) -> Service:
        pulse.watch_supervisor()
        return Service(settings, place=place)

    # Meant for the supervisor; a terminal that goes away sends it to everybody.
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)
    orderly = run_server(settings, build, lambda _url: pulse.ready(), listener, supervised=True)
    pulse.over()
    return orderly
