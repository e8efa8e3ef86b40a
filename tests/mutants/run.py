"""Run the suite against every mutant: `python -m tests.mutants.run [NAME ...]`.

First the tests that are to catch them run on the real code and must be green; then each mutant
runs its own and must be red. Ends with status 1 when a mutant survived.
"""

import subprocess
import sys
from pathlib import Path

from tests.mutants.registry import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
FAILED = 1  # pytest's status when tests ran and some failed; anything else is no verdict


def run_tests(tests: tuple[str, ...], *options: str) -> tuple[int, str]:
    """Run pytest in a process of its own; returns its status and its last line."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or [""]
    return done.returncode, lines[-1]


def judge(name: str, mutant: Mutant) -> bool:
    """Print one line of the table; True when the mutant was caught."""
    status, last = run_tests(mutant.tests, "--mutant", name, "--maxfail=3")
    caught = status == FAILED
    verdict = "caught" if caught else "SURVIVED" if status == 0 else f"NO VERDICT ({status})"
    print(f"{name:34} {verdict:16} {last}", flush=True)  # noqa: T201 - the table is the result
    return caught


def main(names: list[str]) -> int:
    """Judge the named mutants, or all."""
    unknown = set(names) - set(MUTANTS)
    if unknown:
        raise SystemExit(f"no such mutant: {', '.join(sorted(unknown))}")
    chosen = {name: MUTANTS[name] for name in names or MUTANTS}
    tests = tuple(sorted({test for mutant in chosen.values() for test in mutant.tests}))
    status, last = run_tests(tests)
    print(f"{'the real code':34} {'green' if status == 0 else 'RED':16} {last}")  # noqa: T201 - likewise
    if status != 0:
        return 1
    results = [judge(name, mutant) for name, mutant in chosen.items()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
