"""The admin plane, put together: every area's operations and what they work with."""

from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..cluster.backups import Backups
from ..cluster.contents import Contents
from ..cluster.locator import Locator
from ..cluster.membership import Membership
from ..cluster.moving import Mover
from ..cluster.registry import RoomRegistry
from ..cluster.steering import Steering
from ..cluster.stubs import OutsideStubs
from ..core.clock import Clock, DatabaseClock
from ..core.tasks import TaskOwner
from ..settings import Settings
from ..store.admin_tokens import PostgresAdminTokens
from ..store.audit import PostgresAuditTrail
from ..store.backup import PostgresBackupSource
from ..store.database import Database
from ..store.history import PostgresObjectHistory
from ..store.listing import PostgresObjectListing
from ..store.object_states import PostgresObjectStates
from ..store.repeats import PostgresRepeats
from ..store.staging import PostgresStaging
from ..store.storage import PostgresObjectStore
from ..web.access import AccessPolicy
from ..web.admin.audit import AuditOperations
from ..web.admin.backup import BackupOperations
from ..web.admin.changes import Changes
from ..web.admin.content import ContentOperations
from ..web.admin.content_moves import ContentMoveOperations
from ..web.admin.credentials import Gatekeeper
from ..web.admin.endpoint import AdminEndpoint
from ..web.admin.life import LifeOperations
from ..web.admin.me import MeOperations
from ..web.admin.namespaces import NamespaceOperations
from ..web.admin.objects import ObjectOperations
from ..web.admin.operation import Operation
from ..web.admin.pages import pages_of
from ..web.admin.stats import StatsOperations
from ..web.admin.tokens import TokenOperations
from ..web.admin.usage import UsageOperations
from ..web.admin.workers import WorkerOperations
from .admin_inside import inside_operations
from .neighbours import Neighbours


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminParts:
    """What the areas work with; each takes from here what it needs.

    Attributes:
        settings: What was decided.
        database: The open database.
        clock: For waits.
        database_clock: The time that all workers share.
        tasks: Owner of what runs beside requests.
        membership: This worker's lease and id.
        registry: The rooms of this worker.
        locator: Objects wherever they are, and the namespaces and ids.
        mover: Moves rooms and drains this worker.
        stubs: Stubs of objects, from outside.
        steering: The way into live objects.
        others: What a worker has for its dealings with others.
    """

    settings: Settings
    database: Database
    clock: Clock
    database_clock: DatabaseClock
    tasks: TaskOwner
    membership: Membership
    registry: RoomRegistry
    locator: Locator
    mover: Mover
    stubs: OutsideStubs
    steering: Steering
    others: Neighbours


def operations_of(parts: AdminParts) -> list[Operation]:
    """Every operation of the admin plane, area by area."""
    others, settings = parts.others, parts.settings
    contents = Contents(parts.locator.namespaces, parts.stubs, PostgresObjectStates(parts.database))
    return [
        *MeOperations(__version__).operations(),
        *TokenOperations(PostgresAdminTokens(parts.database)).operations(),
        *AuditOperations(PostgresAuditTrail(parts.database)).operations(),
        *_what_there_is(parts),
        *BackupOperations(_backups(parts), parts.locator, parts.tasks).operations(),
        *ContentOperations(contents, parts.locator).operations(),
        *inside_operations(parts.database, parts.locator, parts.steering, parts.database_clock),
        *ContentMoveOperations(contents, parts.locator).operations(),
        *LifeOperations(
            others.life,
            others.purger,
            parts.locator,
            name_bytes=settings.name_bytes,
            grace_seconds=settings.delete_grace_seconds,
        ).operations(),
        *WorkerOperations(others.workers, others.log_levels, parts.locator.namespaces).operations(),
    ]


def _what_there_is(parts: AdminParts) -> list[Operation]:
    listing = PostgresObjectListing(parts.database)
    stored = PostgresObjectStore(parts.database)
    namespaces = NamespaceOperations(listing, parts.locator.namespaces)
    return [
        *namespaces.operations(),
        *ObjectOperations(listing, stored, parts.steering, parts.locator).operations(),
        *StatsOperations(listing, namespaces).operations(),
        *UsageOperations(parts.others.usages, listing, parts.steering, parts.locator).operations(),
    ]


def _backups(parts: AdminParts) -> Backups:
    return Backups(
        parts.registry,
        parts.steering,
        source=PostgresBackupSource(parts.database),
        staging=PostgresStaging(parts.database),
        history=PostgresObjectHistory(parts.database),
        database_clock=parts.database_clock,
    )


def described_operations() -> list[Operation]:
    """The same operations with nothing behind them: for the description and the docs."""
    nothing: Any = _Nothing()
    fields = AdminParts.__dataclass_fields__
    return operations_of(AdminParts(**dict.fromkeys(fields, nothing)))


def gatekeeper_of(parts: AdminParts) -> Gatekeeper:
    """Who judges the tokens of the admin plane."""
    token = parts.settings.admin_token
    return Gatekeeper(
        parts.clock,
        PostgresAdminTokens(parts.database),
        now_ms=parts.database_clock.now_ms,
        admin_token=None if token is None else token.get_secret_value(),
    )


def admin_endpoint(
    parts: AdminParts, access: AccessPolicy, gatekeeper: Gatekeeper
) -> AdminEndpoint:
    """What answers below `/admin`."""
    settings = parts.settings
    operations = operations_of(parts)
    return AdminEndpoint(
        operations,
        pages=pages_of(operations),
        access=access,
        gatekeeper=gatekeeper,
        changes=Changes(PostgresAuditTrail(parts.database), PostgresRepeats(parts.database)),
        now_ms=parts.database_clock.now_ms,
        tasks=parts.tasks,
        body_bytes=settings.max_frame_bytes,
        streamed_body_bytes=settings.max_streamed_body_bytes,
    )


class _Nothing:
    """Stands for any part while operations are only described: an area calls none when made."""

    def __getattr__(self, name: str) -> "_Nothing":
        return self

    def __call__(self, *_arguments: object, **_named: object) -> "_Nothing":
        return self
