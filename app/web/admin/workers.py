"""Workers, and how much namespaces log: what an operator sees and does of the processes."""

from collections.abc import Container
from typing import Literal
from uuid import UUID

from ...cluster.log_levels import LogLevels
from ...cluster.worker_steering import SeenWorker, WorkerSteering
from ...core.admin import Role
from ...core.admin_errors import CursorInvalid, WorkerUnknown
from ...core.errors import LinkBroken, NamespaceUnknown, WorkerLeaving, WorkerNotLive
from ...core.ids import WorkerId
from .models import Asked, Instant, Page, PageQuery, Told, instant_of_ms
from .operation import AdminCall, Operation
from .paging import Keyset

_TAG = "workers"
_LOG_LEVEL = "/namespaces/{namespace}/log-level"
_LIST = Keyset("list_workers", str, int, int, str)

Level = Literal["debug", "info", "warning", "error"]
State = Literal["live", "draining", "dead"]


class WorkerSeen(Told):
    """One life of a worker process."""

    worker_id: UUID
    """This life; a worker that lost its lease goes on under another one."""
    node: str
    """The machine, by the random id of its data directory."""
    slot: int
    """Which of the machine's workers."""
    state: State
    """What the database says: live takes objects, draining none; dead holds none any more."""
    duty: str | None
    """What it says itself: serving, draining or leaving; null when it did not answer in time."""
    rooms: int | None
    """How many objects it holds; null as `duty`."""
    awake: int | None
    """How many of them have an instance in memory."""
    connections: int | None
    """How many sockets they have."""
    address: str
    """Where other workers reach it."""
    version: str
    """Its release."""
    started_at: Instant
    """When this life began."""
    lease_until: Instant
    """Until when it speaks for its objects, if it does not renew that."""


class WorkerPage(Page[WorkerSeen]):
    """Workers by node, slot and start."""


class WorkerQuery(PageQuery):
    """Which workers."""

    state: State | None = None
    """Only those in this state. Dead ones are known for a day."""


class LogLevel(Told):
    """How much a namespace logs."""

    namespace: str
    """Which."""
    level: Level | None
    """The least severe line that is written; null: as everything else."""


class SetLogLevel(Asked):
    """How much a namespace is to log."""

    level: Level | None
    """The least severe line that is written; null: as everything else."""


class WorkerOperations:
    """See the module.

    Args:
        steering: Any worker, from here.
        log_levels: How much namespaces log.
        namespaces: What is mounted.
    """

    def __init__(
        self, steering: WorkerSteering, log_levels: LogLevels, namespaces: Container[str]
    ) -> None:
        self._steering = steering
        self._log_levels = log_levels
        self._namespaces = namespaces

    def operations(self) -> list[Operation]:
        """What this area offers."""
        return [*self._of_workers(), *self._of_duty(), *self._of_logs()]

    def _of_workers(self) -> list[Operation]:
        return [
            Operation(
                name="list_workers",
                method="GET",
                path="/workers",
                role=Role.VIEWER,
                tag=_TAG,
                summary="List the workers, and what each has in hand",
                handle=self._list,
                query=WorkerQuery,
                answer=WorkerPage,
                errors=(CursorInvalid,),
            ),
            Operation(
                name="get_worker",
                method="GET",
                path="/workers/{worker}",
                role=Role.VIEWER,
                tag=_TAG,
                summary="Show one worker",
                handle=self._get,
                answer=WorkerSeen,
                errors=(WorkerUnknown,),
            ),
        ]

    def _of_duty(self) -> list[Operation]:
        return [
            Operation(
                name=f"{verb}_worker",
                method="POST",
                path=f"/workers/{{worker}}/{verb}",
                role=Role.OPERATOR,
                tag=_TAG,
                summary=summary,
                handle=handle,
                answer=WorkerSeen,
                errors=(WorkerUnknown, WorkerNotLive, WorkerLeaving, LinkBroken),
            )
            for verb, summary, handle in (
                ("drain", "Let a worker give its objects up and take no others", self._drain),
                ("undrain", "Let a worker take objects again", self._undrain),
            )
        ]

    def _of_logs(self) -> list[Operation]:
        return [
            Operation(
                name="get_log_level",
                method="GET",
                path=_LOG_LEVEL,
                role=Role.VIEWER,
                tag=_TAG,
                summary="Tell how much a namespace logs",
                handle=self._get_log_level,
                answer=LogLevel,
                errors=(NamespaceUnknown,),
            ),
            Operation(
                name="set_log_level",
                method="PUT",
                path=_LOG_LEVEL,
                role=Role.OPERATOR,
                tag=_TAG,
                summary="Set how much a namespace logs",
                handle=self._set_log_level,
                body=SetLogLevel,
                answer=LogLevel,
                errors=(NamespaceUnknown,),
                description="All workers follow within seconds. It is stored and holds across "
                "restarts, until it is set to null.",
            ),
        ]

    async def _list(self, call: AdminCall) -> WorkerPage:
        query: WorkerQuery = call.query
        wanted = _LIST.slice(query)
        rows = [
            row
            for row in await self._steering.rows()
            if query.state is None or row.state.value == query.state
        ]
        rows.sort(key=lambda row: row.place)
        if wanted.after is not None:
            after = wanted.after
            rows = [row for row in rows if row.place > after]
        kept, cursor = _LIST.page(query, rows[: wanted.limit], lambda row: row.place)
        items = [_told(seen) for seen in await self._steering.see(kept)]
        return WorkerPage(items=items, next_cursor=cursor)

    async def _get(self, call: AdminCall) -> WorkerSeen:
        seen = await self._steering.one(_worker(call))
        if seen is None:
            raise WorkerUnknown
        return _told(seen)

    async def _drain(self, call: AdminCall) -> WorkerSeen:
        await self._get(call)
        await self._steering.drain(_worker(call))
        return await self._get(call)

    async def _undrain(self, call: AdminCall) -> WorkerSeen:
        await self._get(call)
        await self._steering.undrain(_worker(call))
        return await self._get(call)

    async def _get_log_level(self, call: AdminCall) -> LogLevel:
        namespace = self._namespace(call)
        levels = await self._log_levels.all()
        return LogLevel.model_validate({"namespace": namespace, "level": levels.get(namespace)})

    async def _set_log_level(self, call: AdminCall) -> LogLevel:
        body: SetLogLevel = call.body
        namespace = self._namespace(call)
        await self._log_levels.set(namespace, body.level)
        return LogLevel(namespace=namespace, level=body.level)

    def _namespace(self, call: AdminCall) -> str:
        namespace = call.path["namespace"]
        if namespace not in self._namespaces:
            raise NamespaceUnknown(remedy="List the namespaces.")
        return namespace


def _worker(call: AdminCall) -> WorkerId:
    try:
        return WorkerId(UUID(call.path["worker"]))
    except ValueError:
        raise WorkerUnknown from None


def _told(seen: SeenWorker) -> WorkerSeen:
    row, vitals = seen.row, seen.vitals
    identity = row.identity
    return WorkerSeen(
        worker_id=identity.worker_id,
        node=identity.node,
        slot=identity.slot,
        state=row.state.value,
        duty=None if vitals is None else vitals.duty,
        rooms=None if vitals is None else vitals.rooms,
        awake=None if vitals is None else vitals.awake,
        connections=None if vitals is None else vitals.connections,
        address=identity.address,
        version=identity.version,
        started_at=instant_of_ms(row.started_ms),
        lease_until=instant_of_ms(row.lease_ms),
    )
