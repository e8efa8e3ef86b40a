"""How much the TinyBase rooms of this process have refused: integers for whoever counts."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Since the process began.

    Attributes:
        refused: Cells and values that clients proposed and that were not taken.
        amended: Those in whose place another value was taken.
        corrected: Places that were written again, so that clients give up what was refused.
        sent_away: Clients closed because of too many refused changes.
    """

    refused: int = 0
    amended: int = 0
    corrected: int = 0
    sent_away: int = 0

    def counts(self) -> Iterable[tuple[str, int]]:
        """What is told in metrics: the name of each, and how many."""
        yield "changes_refused", self.refused
        yield "changes_amended", self.amended
        yield "changes_corrected", self.corrected
        yield "clients_sent_away", self.sent_away


TALLY = Tally()
"""That of this process."""
