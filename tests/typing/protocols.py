"""Read by the type checker alone: the engine's classes are what the protocols ask for.

A parameter that is assigned to a variable of the protocol's type is enough; nothing here runs.
"""

from app.cluster.calls import Calls
from app.cluster.lanes import HandOver, StubLane
from app.cluster.lease import WorkerLease
from app.cluster.lives import CommitterOfThisLife
from app.cluster.membership import Membership
from app.cluster.stubs import OutsideRoute
from app.cluster.watchdog import WatchedLife
from app.core.clock import Clock, SystemClock, Timer
from app.core.handshakes import OfferedSocket, OpenSocket
from app.core.ports import (
    BatchSource,
    Committer,
    LeaseCheck,
    ObjectStore,
    WorkerLeases,
    WorkerList,
)
from app.core.sockets import SocketSink, SocketTransport
from app.room.calls import RoomRoute
from app.room.commits import CommitLane
from app.room.connections import ConnectionHost, RoomConnection
from app.room.context import ContextHost, RoomContext
from app.room.events import EventHost
from app.room.exchange import CallLane, CallRouter
from app.room.life import RoomLife
from app.room.residence import Residence
from app.room.room import Room
from app.room.storage import RoomStorage, RoomTransaction
from app.room.storage_parts import StorageHost
from app.room.timers import InstanceTimer
from app.room.unit import RunningUnit
from app.sdk.connection import Connection
from app.sdk.context import Context
from app.sdk.multiplexing import SocketMultiplexer
from app.sdk.namespace import StubRoute
from app.sdk.storage import Storage, Transaction
from app.store.committer import PostgresCommitter
from app.store.leases import PostgresWorkerLeases
from app.store.storage import PostgresObjectStore
from app.store.workers import PostgresWorkerList
from app.testing.clock import FakeClock, FakeTimer
from app.testing.memory import (
    MemoryCommitter,
    MemoryObjectStore,
    MemoryWorkerLeases,
    MemoryWorkerList,
)
from app.testing.sockets import MemorySocket
from app.tinybase.multiplex import Multiplexer
from app.transport.pending import PendingSocket
from app.transport.picows_socket import PicowsSocket
from app.web.channel import ChannelOwner, ChannelTransport
from app.web.channels import ChannelSocket
from app.web.held import HeldTransport
from app.web.queued import QueuedSocket


def what_authors_see(
    storage: RoomStorage,
    transaction: RoomTransaction,
    context: RoomContext,
    connection: RoomConnection,
    multiplexer: Multiplexer,
) -> None:
    a: Storage = storage
    b: Transaction = transaction
    c: Context = context
    d: Connection = connection
    e: SocketMultiplexer = multiplexer
    del a, b, c, d, e


def channels(socket: ChannelSocket) -> None:
    a: ChannelOwner = socket
    del a


def sockets(
    memory: MemorySocket,
    picows: PicowsSocket,
    pending: PendingSocket,
    queued: QueuedSocket,
    held: HeldTransport,
    channel: ChannelTransport,
    multiplexed: ChannelSocket,
    connection: RoomConnection,
) -> None:
    transports: list[SocketTransport] = [memory, picows, queued, held, channel]
    opened: list[OpenSocket] = [picows, queued]
    offers: list[OfferedSocket] = [pending, queued]
    sinks: list[SocketSink] = [connection, multiplexed]
    del transports, sinks, opened, offers


def the_store_and_its_twins(
    postgres: PostgresObjectStore,
    memory: MemoryObjectStore,
    postgres_committer: PostgresCommitter,
    memory_committer: MemoryCommitter,
    this_life: CommitterOfThisLife,
    postgres_leases: PostgresWorkerLeases,
    memory_leases: MemoryWorkerLeases,
) -> None:
    stores: list[ObjectStore] = [postgres, memory]
    committers: list[Committer] = [postgres_committer, memory_committer, this_life]
    leases: list[WorkerLeases] = [postgres_leases, memory_leases]
    del stores, committers, leases


def the_lists_of_workers(postgres: PostgresWorkerList, memory: MemoryWorkerList) -> None:
    lists: list[WorkerList] = [postgres, memory]
    del lists


def what_the_watchdog_sees(life: RoomLife) -> None:
    watched: WatchedLife = life
    del watched


def time(system: SystemClock, fake: FakeClock, timer: FakeTimer, own: InstanceTimer) -> None:
    clocks: list[Clock] = [system, fake]
    timers: list[Timer] = [timer, own]
    del clocks, timers


def the_parts_of_a_room(
    room: Room,
    life: RoomLife,
    lane: CommitLane,
    unit: RunningUnit,
    residence: Residence,
    lease: WorkerLease,
    membership: Membership,
) -> None:
    a: ConnectionHost = room
    b: EventHost = life
    c: BatchSource = lane
    d: StorageHost = unit
    e: ContextHost = residence
    f: list[LeaseCheck] = [lease, membership]
    del a, b, c, d, e, f


def the_ways_of_calls(
    calls: Calls, lane: StubLane, room_route: RoomRoute, outside_route: OutsideRoute
) -> None:
    a: CallRouter = calls
    b: HandOver = calls
    c: CallLane = lane
    d: list[StubRoute] = [room_route, outside_route]
    del a, b, c, d
