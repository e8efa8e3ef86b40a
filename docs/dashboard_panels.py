"""What the Grafana dashboard shows: rows of panels, with queries made from the catalogue.

Every query takes the maximum over `instance` first: where several machines are scraped and each
tells of all workers, a figure is still told once.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from app.core.metric_catalogue import METRICS

_WINDOW: Final = "$__rate_interval"


class Query(NamedTuple):
    """A line, or several, of a panel.

    Attributes:
        expression: What is asked.
        legend: How its lines are called, with `{{label}}` for a label's value.
    """

    expression: str
    legend: str


class Panel(NamedTuple):
    """One panel.

    Attributes:
        title: Above it.
        unit: Grafana's name of the unit of the values.
        queries: What it shows.
        figure: Whether it is one large figure and not a graph over time.
    """

    title: str
    unit: str
    queries: Sequence[Query]
    figure: bool = False


def _series(name: str, ending: str = "") -> str:
    metric = METRICS[name]
    chosen = [
        f'{label}=~"${label}"'
        for label in ("worker", "namespace")
        if (metric.of_worker if label == "worker" else label in metric.labels)
    ]
    return metric.full_name + ending + ("{" + ",".join(chosen) + "}" if chosen else "")


def _sum(expression: str, by: Sequence[str]) -> str:
    grouped = f" by ({', '.join(by)})" if by else ""
    return f"sum{grouped} (max without (instance) ({expression}))"


def _legend(by: Sequence[str], word: str) -> str:
    return " ".join([*(f"{{{{{label}}}}}" for label in by), *([word] if word else [])])


def now(name: str, *by: str, word: str = "") -> Query:
    """The present value, added up."""
    return Query(_sum(_series(name), by), _legend(by, word))


def rate(name: str, *by: str, word: str = "") -> Query:
    """How much a second, added up."""
    return Query(_sum(f"rate({_series(name)}[{_WINDOW}])", by), _legend(by, word))


def grown(name: str, *by: str, word: str = "") -> Query:
    """How much more in the last hour, added up."""
    return Query(_sum(f"increase({_series(name)}[1h])", by), _legend(by, word))


def quantiles(name: str, *by: str) -> tuple[Query, ...]:
    """The median, and what one in a hundred exceeds."""
    buckets = _sum(f"rate({_series(name, '_bucket')}[{_WINDOW}])", ("le", *by))
    return tuple(
        Query(f"histogram_quantile({part}, {buckets})", _legend(by, word))
        for part, word in ((0.5, "median"), (0.99, "99 %"))
    )


def share(part: str, whole: str) -> Query:
    """How much of one is another, for each worker."""
    return Query(
        f"max by (worker) ({_series(part)} / {_series(whole)})",
        "{{worker}}",
    )


def least(name: str) -> Query:
    """The smallest value that there is."""
    return Query(f"min ({_series(name)})", name.replace("_", " "))


ROWS: Final[dict[str, Sequence[Panel]]] = {
    "Now": (
        Panel("Workers that answer", "none", (now("worker_up"),), figure=True),
        Panel("Database answers", "none", (least("database_up"),), figure=True),
        Panel("Rooms", "short", (now("rooms"),), figure=True),
        Panel("Sockets", "short", (now("sockets"),), figure=True),
        Panel("Events a second", "short", (rate("events"),), figure=True),
        Panel("Takeovers in an hour", "short", (grown("failovers"),), figure=True),
    ),
    "Workers": (
        Panel("Lease left", "percentunit", (share("lease_margin_seconds", "lease_seconds"),)),
        Panel("Workers by the database's word", "short", (now("workers", "state"),)),
        Panel("Draining and leaving", "short", (now("worker_duty", "worker", "duty"),)),
        Panel("Renewals failed, leases lost", "short", (
            rate("renewals_failed", "worker", word="failed"),
            rate("leases_lost", "worker", word="lost"),
        )),
        Panel("Started at", "dateTimeAsIso", (now("worker_start_time_seconds", "worker"),)),
        Panel("What runs", "none", (now("worker_info", "worker", "version", "build", "python"),)),
    ),
    "Rooms": (
        Panel("Rooms by state", "short", (now("rooms", "state"),)),
        Panel("Rooms by namespace", "short", (now("rooms", "namespace"),)),
        Panel("Connections of rooms", "short", (now("connections", "namespace"),)),
        Panel("Opened and taken over", "ops", (
            rate("rooms_opened", word="opened"), rate("failovers", word="taken over"),
        )),
        Panel("Aborts by cause", "ops", (rate("room_aborts", "code"),)),
        Panel("Refused, by code", "ops", (rate("rejects", "code"),)),
        Panel("Changes of TinyBase clients that were refused", "ops", (
            rate("changes_refused", word="refused"), rate("changes_amended", word="amended"),
            rate("changes_corrected", word="corrected"),
            rate("clients_sent_away", word="clients sent away"),
        )),
        Panel("Faults in objects' code", "ops", (rate("object_faults", "worker"),)),
        Panel("Stalled, stuck, congested", "short", (
            now("stalled_rooms", word="stalled"), now("stuck_rooms", word="stuck"),
            now("congested_rooms", word="congested"),
            rate("rooms_stalled", word="found stalled a second"),
            rate("rooms_stuck", word="found stuck a second"),
        )),
    ),
    "Events": (
        Panel("Events", "ops", (rate("events", "worker"),)),
        Panel("Messages", "ops", (rate("messages", "direction"),)),
        Panel("Requests, calls and starts", "ops", (
            rate("requests", word="requests and calls"), rate("wakes", word="starts"),
        )),
        Panel("Bytes of objects", "Bps", (rate("object_bytes", "direction"),)),
        Panel("CPU of objects, time of queued events", "s", (
            rate("object_cpu_seconds", "worker", word="CPU"),
            rate("event_seconds", "worker", word="queued events"),
        )),
        Panel("Waiting events", "short", (now("queued_events", "namespace"),)),
        Panel("Oldest waiting event", "s", (now("queue_age_seconds", "worker"),)),
    ),
    "Commits": (
        Panel("Batches by outcome", "ops", (rate("commits", "outcome"),)),
        Panel("Time of a group", "s", quantiles("commit_seconds")),
        Panel("Wait at the gate", "s", quantiles("gate_wait_seconds")),
        Panel("Objects in a group", "short", quantiles("commit_group_rooms")),
        Panel("Bytes in a group", "bytes", quantiles("commit_group_bytes")),
        Panel("Backlog", "short", (now("commit_backlog", "worker"),)),
        Panel("Rows written", "ops", (rate("rows_written", "worker"),)),
        Panel("Bytes written", "Bps", (rate("bytes_written", "worker"),)),
    ),
    "Sockets and HTTP": (
        Panel("Sockets by engine", "short", (now("sockets", "worker", "engine"),)),
        Panel("Handshakes by outcome", "ops", (rate("handshakes", "outcome"),)),
        Panel("Given between workers", "ops", (rate("handoffs", "direction"),)),
        Panel("HTTP responses", "ops", (rate("http_responses", "surface", "status"),)),
    ),
    "Links between workers": (
        Panel("Links and streams", "short", (
            now("links", "worker", word="links"), now("link_streams", "worker", word="streams"),
        )),
        Panel("Bytes over links", "Bps", (rate("link_bytes", "direction"),)),
        Panel("Queued for links", "bytes", (now("link_queued_bytes", "worker"),)),
        Panel("Waits for readers", "ops", (rate("link_waits", "worker"),)),
    ),
    "Alarms": (
        Panel("Alarms rung", "ops", (
            rate("alarms_done", word="done"), rate("alarms_failed", word="failed"),
            rate("alarms_superseded", word="superseded"),
            rate("alarms_given_up", word="given up"),
        )),
        Panel("Postponed, by code", "ops", (rate("alarms_postponed", "code"),)),
        Panel("How late", "s", quantiles("alarm_lag_seconds")),
        Panel("Pending", "short", (now("alarms_pending"),)),
    ),
    "Database": (
        Panel("Answers", "none", (now("database_up", "worker"),)),
        Panel("Ping", "s", (now("database_ping_seconds", "worker"),)),
        Panel("Objects", "short", (
            now("objects", "namespace"), now("objects_live", word="held by live workers"),
        )),
        Panel("Stored by objects, and in all", "bytes", (
            now("stored_bytes", "namespace"), now("database_bytes", word="the database"),
        )),
        Panel("Pruned rows of history", "ops", (rate("history_pruned_rows"),)),
        Panel("Embedded Postgres", "none", (now("embedded_postgres", "worker"),)),
    ),
    "Processes": (
        Panel("Lag of the event loop", "s", quantiles("event_loop_lag_seconds", "worker")),
        Panel("CPU", "percentunit", (rate("process_cpu_seconds", "worker"),)),
        Panel("Memory", "bytes", (now("process_resident_bytes", "worker"),)),
        Panel("File descriptors used", "percentunit", (
            share("process_open_fds", "process_max_fds"),
        )),
        Panel("Tasks", "short", (now("process_tasks", "worker"),)),
        Panel("Time of a scrape", "s", (now("gather_seconds"),)),
    ),
}  # fmt: skip
"""The panels, by the title of their row."""
