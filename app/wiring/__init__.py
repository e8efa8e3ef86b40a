"""The composition root: builds everything from the settings, starts and stops it in order.

`service` is one worker; `node` is what all workers of a machine share (the data directory, the
embedded Postgres, proof of death); `configuration` turns settings into values.
"""

from .configuration import Classes, access_of, limits_of, mounts_of
from .handoff import Handoff
from .node import Node, WorkerPlace, former_workers_gone
from .service import Service, build_service

__all__ = [
    "Classes",
    "Handoff",
    "Node",
    "Service",
    "WorkerPlace",
    "access_of",
    "build_service",
    "former_workers_gone",
    "limits_of",
    "mounts_of",
]
