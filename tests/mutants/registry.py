"""Deliberate faults, each of which must turn the suite red.

A mutant is a named patch of the running code, switched on by `pytest --mutant NAME` before any
test is collected; servers that the cluster tests start have it too. It lives here and nowhere
else: the shipped code knows no such switch. Every mutant names the tests that should catch it,
so that finding out takes seconds.

To add one, write the patch in a module of this folder and list it in `MUTANTS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.settings.sources import environ
from tests.cluster.server import MUTANT_VARIABLE
from tests.mutants import alarms, service, store


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault.

    Attributes:
        what: What is wrong with it, in one line.
        patch: Switches it on, for the rest of the process.
        tests: What should catch it: arguments of pytest.
    """

    what: str
    patch: Callable[[], None]
    tests: tuple[str, ...]


COMMITS = "tests/contract/test_committer.py"
FENCE = "tests/integration/store/test_fence.py"
UNKNOWN = "tests/integration/store/test_unknown_outcome.py"
LEASES = "tests/contract/test_worker_leases.py"
LEASE_LOCKS = "tests/integration/store/test_lease_locking.py"
PGBOUNCER = "tests/integration/store/test_pgbouncer.py"
FAILOVER = "tests/integration/store/test_failover.py"
CANCELLED_WAIT = (
    "test_a_commit_whose_wait_for_the_standby_is_cancelled_does_not_count_until_it_is_there"
)
HOSTS = "tests/unit/store/test_hosts.py"
SWEEPING = "tests/integration/store/test_sweeping.py"
KILLS = (
    "tests/cluster/test_nothing_acknowledged_is_lost.py::"
    "test_nothing_that_anybody_was_told_is_lost_by_sigkill_at_random_moments[1]"
)
TAKEN_FOR_DEAD = (
    "tests/cluster/test_pauses_and_takeovers.py::"
    "test_a_server_that_was_taken_for_dead_loses_its_rooms_and_nothing_that_it_said"
)
MEMBERSHIP = "tests/cluster/test_membership.py"
ROOM = "tests/unit/room"
BELL = "tests/unit/room/test_bell.py"
ALARMS = "tests/contract/test_alarms.py"
ALARMS_AT_RANDOM = "tests/property/room/test_alarms.py"
SERIES = "tests/unit/room/test_repeating_alarms.py"
ABORTS = "tests/unit/room/test_alarm_aborts.py"

MUTANTS: dict[str, Mutant] = {
    "fence-by-plain-select": Mutant(
        what="a commit looks at the epoch without locking the row",
        patch=store.fence_by_plain_select,
        tests=(FENCE,),
    ),
    "no-commit-number-check": Mutant(
        what="a commit proves its epoch, but not the number it expects",
        patch=store.no_commit_number_check,
        tests=(COMMITS, UNKNOWN),
    ),
    "settling-by-a-read": Mutant(
        what="after a lost answer a read decides whether the commit was applied",
        patch=store.settling_by_a_read,
        tests=(UNKNOWN,),
    ),
    "renewal-revives-a-lease": Mutant(
        what="a renewal does not ask whether the lease has ended",
        patch=store.renewal_revives_a_lease,
        tests=(LEASES, LEASE_LOCKS),
    ),
    "load-in-the-claims-statement": Mutant(
        what="a claim waits for the row and reads the object's rows in its own snapshot",
        patch=store.load_in_the_claims_statement,
        tests=(FENCE,),
    ),
    "claim-without-compare-and-set": Mutant(
        what="a claim trusts its snapshot about the holder of a row that has moved since",
        patch=store.claim_without_compare_and_set,
        tests=(LEASE_LOCKS,),
    ),
    "locks-as-they-come": Mutant(
        what="a commit locks its rooms in the order in which they come, and waits",
        patch=store.locks_as_they_come,
        tests=(FENCE,),
    ),
    "one-bad-room-fails-the-group": Mutant(
        what="an error of one room's rows refuses every room of the group",
        patch=store.one_bad_room_fails_the_group,
        tests=(COMMITS,),
    ),
    "statement-cache-behind-a-pooler": Mutant(
        what="named statements are used behind a pooler in transaction mode",
        patch=store.statement_cache_behind_a_pooler,
        tests=(PGBOUNCER,),
    ),
    "unreplicated-commit-counts": Mutant(
        what="a commit counts although its wait for the standby was cancelled",
        patch=store.unreplicated_commit_counts,
        tests=(f"{FAILOVER}::{CANCELLED_WAIT}",),
    ),
    "overtaken-connections-are-used": Mutant(
        what="connections to a former primary are used after another one was found",
        patch=store.overtaken_connections_are_used,
        tests=(FAILOVER,),
    ),
    "former-primary-is-believed": Mutant(
        what="a host on an earlier timeline is spoken to",
        patch=store.former_primary_is_believed,
        tests=(HOSTS,),
    ),
    "sweep-takes-any-version": Mutant(
        what="an object is swept whoever has claimed it since it was looked at",
        patch=store.sweep_takes_any_version,
        tests=(SWEEPING,),
    ),
    "gate-opens-at-send": Mutant(
        what="outputs are delivered when they are made, before their commit",
        patch=service.gate_opens_at_send,
        tests=(KILLS,),
    ),
    "replica-ignores-every-tenth-diff": Mutant(
        what="every tenth change is relayed and not merged",
        patch=service.replica_ignores_every_tenth_diff,
        tests=(KILLS,),
    ),
    "speaks-after-its-lease": Mutant(
        what="outputs leave whether or not the lease still holds",
        patch=service.speaks_after_its_lease,
        tests=(ROOM,),
    ),
    "registers-again-under-the-same-id": Mutant(
        what="a registration that failed half way is made again under its dead id",
        patch=service.registers_again_under_the_same_id,
        tests=(MEMBERSHIP,),
    ),
    "alarm-ends-before-its-run": Mutant(
        what="an alarm is deleted before its run is committed",
        patch=alarms.ends_before_its_run,
        tests=(BELL,),
    ),
    "any-ring-runs": Mutant(
        what="an alarm is run for whatever attempt it is rung",
        patch=alarms.any_ring_runs,
        tests=(BELL, "tests/conformance/test_l_alarms_rung.py"),
    ),
    "alarm-claims-outlive-their-worker": Mutant(
        what="the alarms that a dead worker had claimed wait until the claim runs out",
        patch=alarms.claims_outlive_their_worker,
        tests=(ALARMS,),
    ),
    "alarms-pass-the-fence": Mutant(
        what="a batch that the fence refuses sets its alarms all the same",
        patch=alarms.alarms_pass_the_fence,
        tests=(ALARMS,),
    ),
    "series-drift": Mutant(
        what="an alarm that repeats counts its next time from the end of its run",
        patch=alarms.series_drift,
        tests=(SERIES, ALARMS_AT_RANDOM),
    ),
    "aborted-runs-are-over": Mutant(
        what="an alarm whose object threw itself away in the run is taken for done",
        patch=alarms.aborted_runs_are_over,
        tests=(ABORTS, ALARMS_AT_RANDOM),
    ),
    "alarms-run-side-by-side": Mutant(
        what="two alarms of one object run at the same time, where its events interleave",
        patch=alarms.alarms_of_an_object_run_side_by_side,
        tests=("tests/conformance/test_l_alarms_rung.py",),
    ),
    "refused-commit-taken-for-done": Mutant(
        what="a room goes on after the fence refused its commit",
        patch=service.a_refused_commit_is_taken_for_done,
        tests=(TAKEN_FOR_DEAD,),
    ),
}


def switch_on(name: str) -> None:
    """Apply a mutant to this process and to the servers that it will start.

    Raises:
        SystemExit: There is none of that name.
    """
    if name not in MUTANTS:
        raise SystemExit(f"no mutant {name!r}; there are: {', '.join(MUTANTS)}")
    MUTANTS[name].patch()
    environ[MUTANT_VARIABLE] = name
