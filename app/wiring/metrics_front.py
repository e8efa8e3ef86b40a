"""`/metrics`, put together."""

from ..cluster.metrics_cluster import ClusterReadings
from ..settings import MetricsAccess
from ..store.listing import PostgresObjectListing
from ..web.admin.credentials import Gatekeeper
from ..web.metrics import MetricsEndpoint
from .admin import AdminParts


def metrics_endpoint(parts: AdminParts, gatekeeper: Gatekeeper) -> MetricsEndpoint:
    """What answers at `/metrics`, to those who may read it."""
    settings, metrics = parts.settings, parts.others.metrics
    parts.tasks.start(metrics.process.watch(), name="loop-lag")
    gathering = metrics.join(
        parts.registry,
        parts.membership,
        parts.mover,
        links=parts.others.links,
        database=parts.database,
    )
    access, token = settings.metrics_access, settings.metrics_token
    return MetricsEndpoint(
        gathering,
        ClusterReadings(PostgresObjectListing(parts.database), parts.clock).read,
        gatekeeper=None if access is MetricsAccess.OPEN else gatekeeper,
        token=None if token is None else token.get_secret_value(),
        trusts_loopback=access is None and settings.on_loopback,
        clock=parts.clock,
    )
