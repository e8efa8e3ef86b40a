"""`stateroom` with a deliberate fault: `python -m tests.mutants.serve NAME serve ...`."""

import sys

from app.cli.commands import main
from tests.mutants.registry import switch_on

if __name__ == "__main__":
    switch_on(sys.argv.pop(1))
    main()
