"""Backups of this cluster, put together: export, import and fork."""

from ..core.backup import BackupSource, Staging
from ..core.clock import DatabaseClock
from ..core.history import ObjectHistory
from .exporting import Exporter
from .forking import Forker
from .importing import Importer
from .landing import Lander
from .registry import RoomRegistry
from .steering import Steering


class Backups:
    """See the module.

    Attributes:
        exporter: Writes objects as NDJSON.
        importer: Reads them.
        forker: Copies one under another name.

    Args:
        registry: The rooms of this worker.
        steering: The way to live objects.
        source: Where objects are read.
        staging: Where the rows of large ones wait.
        history: Where the past of objects is read.
        database_clock: Tells when an export was made.
    """

    def __init__(
        self,
        registry: RoomRegistry,
        steering: Steering,
        *,
        source: BackupSource,
        staging: Staging,
        history: ObjectHistory,
        database_clock: DatabaseClock,
    ) -> None:
        lander = Lander(registry, source=source, staging=staging, steering=steering)
        self.exporter = Exporter(source, registry.ids, database_clock)
        self.importer = Importer(registry, lander, source=source, staging=staging)
        self.forker = Forker(registry, lander, source=source, staging=staging, history=history)
