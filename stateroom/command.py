"""The `stateroom` command.

A console script starts with its own folder (the `bin` of the environment) on the module path, not
with the project the user stands in. The command therefore puts the working directory first, so
that `STATEROOM_NAMESPACES=counter=app.counter:Counter` finds the user's own `app` package.
"""

import sys
from pathlib import Path


def main() -> None:
    """Run the command line; the process exits with its status."""
    here = str(Path.cwd())
    if here not in sys.path[:1]:
        sys.path.insert(0, here)
    from app.cli import main as run  # noqa: PLC0415 - after the path is set

    run()
