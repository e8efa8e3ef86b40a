"""How much the TinyBase rooms of this process have refused: integers for whoever counts."""

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


TALLY = Tally()
"""That of this process."""
