"""From settings to the values that the parts of the service are built with."""

from collections.abc import Mapping
from typing import Any

from ..cluster.namespaces import make_mount
from ..core.errors import NamespaceUnknown
from ..core.history import HistoryRule
from ..core.mounts import Mount
from ..core.quotas import Quotas
from ..room.limits import RoomLimits
from ..settings import TINYBASE_NAMESPACE, RoomAccess, Settings
from ..web.access import AccessPolicy

Classes = Mapping[str, type[Any]]
"""Namespace to class, given by whoever embeds us."""

_TINYBASE_CLASS = "stateroom.tinybase:TinyBaseRoom"


def mounts_of(settings: Settings, classes: Classes) -> dict[str, Mount]:
    """Every namespace: the built-in one, those of the settings, those given as classes.

    Raises:
        NamespaceClassInvalid, ConfigurationInvalid: A mount is wrong.
        NamespaceUnknown: A route leads nowhere.
    """
    quotas = quotas_of(settings)
    mounts = {
        spec.name: make_mount(spec.name, spec.target, spec.options, quotas=quotas)
        for spec in settings.namespaces
    }
    mounts |= {name: make_mount(name, cls, {}, quotas=quotas) for name, cls in classes.items()}
    if TINYBASE_NAMESPACE not in mounts:
        mounts[TINYBASE_NAMESPACE] = make_mount(
            TINYBASE_NAMESPACE, _TINYBASE_CLASS, {}, quotas=quotas
        )
    for route in settings.routes:
        if route.namespace not in mounts:
            raise NamespaceUnknown(
                f"the route {route.pattern!r} names the namespace {route.namespace!r}, "
                "which is not mounted"
            )
    return mounts


def quotas_of(settings: Settings) -> Quotas:
    """What an object may cost where its namespace does not say otherwise."""
    return Quotas(
        cpu_seconds_per_minute=settings.quota_cpu_seconds_per_minute,
        events_per_second=settings.quota_events_per_second,
        bytes_per_second=settings.quota_bytes_per_second,
    )


def access_of(settings: Settings) -> AccessPolicy:
    """Who may come in, as the settings say.

    Raises:
        ConfigurationInvalid: The address is public and nothing was decided.
    """
    token = settings.room_token
    closed = settings.effective_room_access() is RoomAccess.TOKEN
    return AccessPolicy(
        room_token=token.get_secret_value() if closed and token is not None else None,
        allowed_hosts=settings.allowed_hosts,
        allowed_origins=settings.allowed_origins,
        cors_origins=settings.cors_origins,
        on_loopback=settings.on_loopback,
    )


def history_of(settings: Settings, mounts: Mapping[str, Mount]) -> HistoryRule:
    """Which objects keep what they were, as the settings say."""
    return HistoryRule(
        seconds=settings.history_seconds,
        size_bytes=settings.history_bytes,
        without=frozenset(name for name, mount in mounts.items() if not mount.history),
    )


def limits_of(settings: Settings) -> RoomLimits:
    """The bounds of each room, as the settings say."""
    return RoomLimits(
        mailbox_events=settings.mailbox_events,
        mailbox_bytes=settings.mailbox_bytes,
        queue_seconds=settings.queue_seconds,
        requests_per_10_seconds=settings.requests_per_10_seconds,
        outbox_bytes=settings.outbox_bytes,
        connections=settings.max_connections,
        event_timeout_seconds=settings.event_timeout_seconds,
        idle_seconds=settings.idle_seconds,
        relaxed_loss_ms=settings.relaxed_loss_ms,
        relaxed_loss_bytes=settings.relaxed_loss_bytes,
    )
