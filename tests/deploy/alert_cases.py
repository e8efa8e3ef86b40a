"""For each alert, series under which it fires, and series very like them under which it does not.

In the notation of `promtool test rules`, a value every 15 seconds: `0+3x40` is 0, 3, 6 and so on
for 40 steps, `1x8` nine times 1.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

W: Final = 'worker="n-0"'
_SLOW: Final = "0+10x80"
_NONE: Final = "0x80"

Series = dict[str, str]


class Case(NamedTuple):
    """An alert under test.

    Attributes:
        alert: Its name.
        at: When it is looked at.
        fires: Series under which it fires, once.
        quiet: Series under which it does not.
    """

    alert: str
    at: str
    fires: Series
    quiet: Series


def _gauge(name: str, values: str, labels: str = W) -> Series:
    return {f"stateroom_{name}{{{labels}}}": values}


def _buckets(name: str, bounds: Sequence[str], *, slow: bool) -> Series:
    """Ten things in each step, all of them below the first bound, or between the two."""
    first, second = bounds
    return {
        f'stateroom_{name}_bucket{{{W},le="{first}"}}': _NONE if slow else _SLOW,
        f'stateroom_{name}_bucket{{{W},le="{second}"}}': _SLOW,
        f'stateroom_{name}_bucket{{{W},le="+Inf"}}': _SLOW,
    }


def _histogram(alert: str, at: str, name: str, *bounds: str) -> Case:
    quick, slow = (_buckets(name, bounds, slow=slow) for slow in (False, True))
    return Case(alert, at, fires=slow, quiet=quick)


def _told_twice(name: str, first: str, second: str) -> Series:
    """A worker that two scraped machines tell of."""
    return {
        f'stateroom_{name}{{{W},instance="a"}}': first,
        f'stateroom_{name}{{{W},instance="b"}}': second,
    }


CASES: Final = (
    Case(
        "StateroomScrapeFails", "3m",
        fires={'up{job="stateroom",instance="a"}': "0x12"},
        quiet={'up{job="stateroom",instance="a"}': "0x4 1x8"},
    ),
    Case(
        "StateroomWorkerDown", "2m",
        fires=_told_twice("worker_up", "1x2 0x8", "1x2 0x8"),
        quiet=_told_twice("worker_up", "0x8", "1x8"),
    ),
    Case(
        "StateroomFailovers", "2m",
        fires=_told_twice("failovers_total", "0x2 1x20", "0x2 1x20"),
        quiet=_told_twice("failovers_total", "5x20", "5x20"),
    ),
    Case(
        "StateroomWorkerRestarts", "3m",
        fires=_gauge("worker_start_time_seconds", "100 200 300 400x10"),
        quiet=_gauge("worker_start_time_seconds", "100 200 300x10"),
    ),
    Case(
        "StateroomLeaseMarginLow", "2m",
        fires=_gauge("lease_margin_seconds", "0.5x8") | _gauge("lease_seconds", "3x8"),
        quiet=_gauge("lease_margin_seconds", "1.9x8") | _gauge("lease_seconds", "3x8"),
    ),
    Case(
        "StateroomLeasesLost", "3m",
        fires=_gauge("leases_lost_total", "0x4 1x20"),
        quiet=_gauge("leases_lost_total", "2x24"),
    ),
    Case(
        "StateroomDatabaseDown", "2m",
        fires=_gauge("database_up", "1 0x8"),
        quiet=_gauge("database_up", "0 1x8"),
    ),
    _histogram("StateroomCommitsSlow", "12m", "commit_seconds", "0.5", "1.0"),
    _histogram("StateroomGateWaits", "12m", "gate_wait_seconds", "1.0", "2.5"),
    Case(
        "StateroomRoomsStalled", "2m",
        fires=_gauge("stalled_rooms", "1x8"),
        quiet=_gauge("stalled_rooms", "1 0x8"),
    ),
    Case(
        "StateroomRoomsStuck", "6m",
        fires=_gauge("stuck_rooms", "1x30"),
        quiet=_gauge("stuck_rooms", "1x8 0 1x20"),
    ),
    Case(
        "StateroomQueueOld", "3m",
        fires=_gauge("queue_age_seconds", "31x14"),
        quiet=_gauge("queue_age_seconds", "29x14"),
    ),
    Case(
        "StateroomRoomAborts", "3m",
        fires=_gauge("room_aborts_total", "0 40x20", f'{W},code="lease_lost"'),
        quiet=_gauge("room_aborts_total", "0 10x20", f'{W},code="lease_lost"'),
    ),
    Case(
        "StateroomRejects", "12m",
        fires=_gauge("rejects_total", "0+30x60", f'{W},code="overloaded"'),
        quiet=_gauge("rejects_total", "0+300x60", f'{W},code="invalid_name"'),
    ),
    Case(
        "StateroomObjectFaults", "12m",
        fires=_gauge("object_faults_total", "0+3x60"),
        quiet=_gauge("object_faults_total", "0+1x60"),
    ),
    _histogram("StateroomAlarmsLate", "18m", "alarm_lag_seconds", "60.0", "300.0"),
    Case(
        "StateroomAlarmsGivenUp", "3m",
        fires=_gauge("alarms_given_up_total", "0 1x20"),
        quiet=_gauge("alarms_given_up_total", "1x21"),
    ),
    _histogram("StateroomEventLoopLags", "12m", "event_loop_lag_seconds", "0.5", "1.0"),
    Case(
        "StateroomFileDescriptors", "6m",
        fires=_gauge("process_open_fds", "90x30") | _gauge("process_max_fds", "100x30"),
        quiet=_gauge("process_open_fds", "70x30") | _gauge("process_max_fds", "100x30"),
    ),
    Case(
        "StateroomLinksBackedUp", "3m",
        fires=_gauge("link_queued_bytes", "70000000x14"),
        quiet=_gauge("link_queued_bytes", "60000000x14"),
    ),
    Case(
        "StateroomDrainsForLong", "31m",
        fires=_gauge("worker_duty", "1x130", f'{W},duty="draining"'),
        quiet=_gauge("worker_duty", "1x130", f'{W},duty="serving"'),
    ),
)  # fmt: skip
