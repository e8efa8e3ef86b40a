"""`stateroom` that tells how many tasks it has: `python -m bench.watched FILE serve ...`.

On SIGUSR1 it writes the number into FILE. For the soak, which looks from outside at all else.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from app.cli.commands import main


def tell_tasks_in(place: Path) -> None:
    """Answer SIGUSR1 from now on."""

    def tell(_number: int, _frame: object) -> None:
        unfinished = place.with_suffix(".new")
        unfinished.write_text(str(len(asyncio.all_tasks())))
        unfinished.replace(place)

    signal.signal(signal.SIGUSR1, tell)


if __name__ == "__main__":
    tell_tasks_in(Path(sys.argv.pop(1)))
    main()
