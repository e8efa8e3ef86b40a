"""How a room is named in log lines."""

from ..core.values import Claim


def names_of(claim: Claim) -> dict[str, object]:
    """Fields that identify a room in a log line."""
    object_id = claim.object_id
    return {
        "namespace": object_id.namespace,
        "object": object_id.name if object_id.name is not None else str(object_id),
        "epoch": claim.epoch,
    }
