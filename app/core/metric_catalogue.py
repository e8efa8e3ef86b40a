"""Every metric there is. docs/reference/metrics.md is generated from this file."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from .metrics import Kind, Metric

_FAST: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)
_COUNTS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_BYTES: Final = (256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0)


def _counter(name: str, meaning: str, *labels: str, unit: str = "") -> Metric:
    return Metric(name=name, kind=Kind.COUNTER, group="", meaning=meaning, labels=labels, unit=unit)


def _gauge(name: str, meaning: str, *labels: str, unit: str = "", of_worker: bool = True) -> Metric:
    return Metric(
        name=name,
        kind=Kind.GAUGE,
        group="",
        meaning=meaning,
        labels=labels,
        unit=unit,
        of_worker=of_worker,
    )


def _histogram(name: str, meaning: str, bounds: tuple[float, ...], *, unit: str = "") -> Metric:
    return Metric(
        name=name, kind=Kind.HISTOGRAM, group="", meaning=meaning, bounds=bounds, unit=unit
    )


_WORKERS: Final = (
    _gauge("worker_up", "1: the worker answered this scrape in time; 0: it did not, and is not "
           "known to have ended."),
    _gauge("worker_info", "Always 1; its labels say who the worker is and what it runs. `build` is "
           "native or pure Python.", "node", "slot", "worker_id", "version", "build", "python",
           "schema"),
    _gauge("worker_start_time_seconds", "When the process began, since 1970.", unit="seconds"),
    _gauge("worker_duty", "1 for what the worker does with objects: serving, draining or leaving.",
           "duty"),
    _gauge("lease_margin_seconds", "How long the worker may still speak for its objects if its "
           "lease is not renewed; 0: not any more.", unit="seconds"),
    _gauge("lease_seconds", "How long a renewed lease lasts.", unit="seconds"),
    _counter("renewals_failed", "Renewals of the lease that were not answered in time."),
    _counter("leases_lost", "Leases that ended: all rooms of the worker were aborted."),
    _gauge("links", "Open links to and from other workers."),
    _gauge("link_streams", "Sockets and requests that go over links at the moment."),
    _gauge("link_queued_bytes", "What waits to be sent over links.", unit="bytes"),
    _counter("link_bytes", "What went over links, by direction: in or out.", "direction",
             unit="bytes"),
    _counter("link_waits", "How often a link had to wait because the other side read too slowly."),
)  # fmt: skip

_ROOMS: Final = (
    _gauge("rooms", "Objects that the worker holds, by the state of their room.", "namespace",
           "state"),
    _gauge("connections", "Sockets and channels that the rooms have.", "namespace"),
    _counter("rooms_opened", "Rooms that were made."),
    _counter("failovers", "Rooms that were made for objects whose owner had died or lost its "
             "lease."),
    _counter("room_aborts", "Rooms that were thrown away, by the code of the cause.", "code"),
    _counter("object_faults", "Events in which the code of an object raised."),
    _gauge("stalled_rooms", "Rooms whose commits do not come."),
    _gauge("stuck_rooms", "Rooms whose event does not end."),
    _counter("rooms_stalled", "How often a room's commits were found not to come."),
    _counter("rooms_stuck", "How often a room's event was found not to end."),
    _counter("rejects", "Messages, requests, handshakes and sockets that were refused, by code.",
             "code"),
)  # fmt: skip

_EVENTS: Final = (
    _counter("events", "Events of objects that ran."),
    _counter("object_cpu_seconds", "Time for which objects kept the worker's thread busy. Of plain "
             "hooks of small messages one in sixteen is timed.", unit="seconds"),
    _counter("event_seconds", "Time for which queued events ran or waited, added up.",
             unit="seconds"),
    _counter("messages", "Messages of sockets, by direction: in, or out (one for each that gets "
             "it).", "direction"),
    _counter("object_bytes", "How large what came to objects and what they said was, by "
             "direction.", "direction", unit="bytes"),
    _counter("requests", "HTTP requests and calls of other objects."),
    _counter("wakes", "Instances of objects that were started."),
    _gauge("queued_events", "Events that wait for their turn.", "namespace"),
    _gauge("queue_age_seconds", "How long the oldest message, request or call waits for its turn.",
           unit="seconds"),
    _gauge("congested_rooms", "Rooms that do not read their sockets because too much is "
           "unconfirmed."),
)  # fmt: skip

_COMMITS: Final = (
    _counter("rows_written", "Keys that commits wrote or removed."),
    _counter("bytes_written", "How large those were.", unit="bytes"),
    _counter("commits", "Batches of objects, by what came of them: committed, lost, refused or "
             "unavailable.", "outcome"),
    _histogram("commit_seconds", "From sending a group to its answer.", _FAST, unit="seconds"),
    _histogram("gate_wait_seconds", "From the first batch that waited for a group to the group's "
               "answer: the longest that its outputs were held.", _FAST, unit="seconds"),
    _histogram("commit_group_rooms", "Objects in a group.", _COUNTS),
    _histogram("commit_group_bytes", "Keys and values in a group.", _BYTES, unit="bytes"),
    _gauge("commit_backlog", "Objects that wait for a commit or have one on its way."),
)  # fmt: skip

_SOCKETS: Final = (
    _gauge("sockets", "Open WebSockets that clients have to this worker, by engine.", "engine"),
    _counter("handshakes", "WebSocket handshakes by what came of them: accepted, refused or "
             "given (to another worker of the machine).", "outcome"),
    _counter("handoffs", "Sockets given to and taken from other workers of the machine.",
             "direction"),
    _counter("http_responses", "HTTP responses by surface (objects, admin, operations, rooms) and "
             "status.", "surface", "status"),
)  # fmt: skip

_ALARMS: Final = (
    _counter("alarms_done", "Runs of alarms that ended well."),
    _counter("alarms_failed", "Runs of alarms that failed, and will be repeated or not."),
    _counter("alarms_superseded", "Rings of alarms that were others by then; nothing was run."),
    _counter("alarms_given_up", "Alarms that have failed too often and are kept for an operator."),
    _counter("alarms_postponed", "Rings that came to nothing and are repeated, by code.", "code"),
    _histogram("alarm_lag_seconds", "How late alarms were claimed.", _SLOW, unit="seconds"),
)  # fmt: skip

_DATABASE: Final = (
    _gauge("database_up", "Whether the database answered the worker at this scrape."),
    _gauge("database_ping_seconds", "How long it took.", unit="seconds"),
    _gauge("embedded_postgres", "1: the worker's database is the embedded Postgres; whether it "
           "answers is `stateroom_database_up`."),
    _gauge("workers", "Workers by the database's word.", "state", of_worker=False),
    _gauge("objects", "Objects that exist.", "namespace", of_worker=False),
    _gauge("stored_bytes", "What the objects store, as last measured.", "namespace", unit="bytes",
           of_worker=False),
    _gauge("objects_live", "Objects that a live worker holds, counted up to a bound.",
           of_worker=False),
    _gauge("alarms_pending", "Alarms that will be rung, counted up to a bound.", of_worker=False),
    _gauge("database_bytes", "What the whole database takes on disk.", unit="bytes",
           of_worker=False),
    _counter("history_pruned_rows", "Rows of history that this worker removed."),
)  # fmt: skip

_TINYBASE: Final = (
    _counter("changes_refused", "Cells and values that TinyBase clients proposed and that rules or "
             "roles did not let in."),
    _counter("changes_amended", "Those in whose place another value was taken."),
    _counter("changes_corrected", "Places that were written again, so that clients give up what "
             "was refused."),
    _counter("clients_sent_away", "TinyBase clients that were closed because of too many refused "
             "changes."),
)  # fmt: skip

_PROCESS: Final = (
    _histogram("event_loop_lag_seconds", "How much later than it should the event loop came to "
               "a timer, four times a second.", _FAST, unit="seconds"),
    _gauge("process_resident_bytes", "Memory of the process.", unit="bytes"),
    _counter("process_cpu_seconds", "CPU time of the process.", unit="seconds"),
    _gauge("process_open_fds", "Open file descriptors."),
    _gauge("process_max_fds", "Most file descriptors that the process may open."),
    _gauge("process_tasks", "Tasks of the event loop."),
    _gauge("gather_seconds", "How long it took to gather this scrape from all workers.",
           unit="seconds", of_worker=False),
)  # fmt: skip


def _all() -> Iterable[Metric]:
    groups = {
        "Workers": _WORKERS,
        "Rooms": _ROOMS,
        "Events": _EVENTS,
        "Commits": _COMMITS,
        "Sockets": _SOCKETS,
        "Alarms": _ALARMS,
        "Database": _DATABASE,
        "TinyBase": _TINYBASE,
        "Process": _PROCESS,
    }
    for group, metrics in groups.items():
        for metric in metrics:
            yield replace(metric, group=group)


METRICS: Final = {metric.name: metric for metric in _all()}
"""Every metric by its name."""
