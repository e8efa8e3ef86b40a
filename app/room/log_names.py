"""How a room is named in log lines, and how the faults of its author's code are told there."""

from collections.abc import Mapping
from typing import Any

from ..core.values import Claim


def names_of(claim: Claim) -> dict[str, object]:
    """Fields that identify a room in a log line."""
    object_id = claim.object_id
    return {
        "namespace": object_id.namespace,
        "object": object_id.name if object_id.name is not None else str(object_id),
        "epoch": claim.epoch,
    }


def log_fault(log: Any, event: str, names: Mapping[str, object], error: BaseException) -> None:
    """Log an exception of the author's with its trace; raises nothing.

    An exception may have code of its own, which fails when it is asked for its text or notes.
    """
    try:
        log.error(event, **names, exc_info=error)
    except Exception:  # noqa: BLE001 - whatever it raises: the event has to end all the same
        log.error(event, **names, reason=type(error).__name__)  # noqa: TRY400 - its trace is what failed
