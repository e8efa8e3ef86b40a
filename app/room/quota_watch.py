"""Holds objects to their quotas: looks at their meters about once a second. Pure.

Nothing is asked on the way of a message but whether the object is refused. So an object may be
over a quota for as long as it takes to the next look. Accounts outlive meters: an object that
sleeps, or that another room of this worker takes up, does not begin anew.
"""

from typing import Final, NamedTuple
from uuid import UUID

from ..core.ids import ObjectId
from ..core.quotas import Quotas
from .meter import Meter
from .quota import QuotaAccount, Standing

_ACCOUNTS: Final = 100_000
"""More are not remembered once their rooms sleep."""


class QuotaChange(NamedTuple):
    """An object stands otherwise with its quotas than before.

    Attributes:
        object_id: Which.
        standing: How it stands.
        reason: The quota that it is near to or over.
        wait_seconds: For how long what others ask of it is refused, if it costs nothing more.
    """

    object_id: ObjectId
    standing: Standing
    reason: str
    wait_seconds: int


class QuotaWatch:
    """See the module."""

    def __init__(self) -> None:
        self._meters: dict[Meter, QuotaAccount] = {}
        self._resting: dict[UUID, tuple[ObjectId, QuotaAccount]] = {}

    def add(self, meter: Meter, quotas: Quotas) -> None:
        """Watch a meter that has just been opened."""
        _, account = self._resting.pop(meter.object_id.uuid, (None, None))
        account = account or QuotaAccount(quotas)
        account.restart(meter)
        self._meters[meter] = account
        meter.refusing = account.wait_seconds

    def charge(self, meter: Meter) -> None:
        """The meter is about to be read and reset."""
        account = self._meters.get(meter)
        if account is not None:
            account.charge(meter)

    def restart(self, meter: Meter) -> None:
        """The meter has been reset."""
        account = self._meters.get(meter)
        if account is not None:
            account.restart(meter)

    def retire(self, meter: Meter) -> None:
        """The meter is closed, and charged."""
        account = self._meters.pop(meter, None)
        if account is not None and len(self._resting) < _ACCOUNTS:
            self._resting[meter.object_id.uuid] = meter.object_id, account

    def look(self, seconds: float) -> list[QuotaChange]:
        """So much time has passed: see how everybody stands, and say who stands otherwise."""
        changes: list[QuotaChange] = []
        for meter, account in self._meters.items():
            account.charge(meter, seconds)
            if account.judge():
                changes.append(_change(meter.object_id, account))
            meter.refusing = account.wait_seconds
        for key, (object_id, account) in list(self._resting.items()):
            account.rest(seconds)
            if account.judge():
                changes.append(_change(object_id, account))
            if account.settled:
                del self._resting[key]
        return changes


def _change(object_id: ObjectId, account: QuotaAccount) -> QuotaChange:
    return QuotaChange(object_id, account.standing, account.reason, account.wait_seconds)
