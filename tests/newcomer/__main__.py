"""What a newcomer does, on a clean Debian: `make test-newcomer`.

The commands are the README's own, as printed: `make run` in a clean clone, then its page (run in
Node with a document of two elements), then everything of `Steer it`. Every command is shown with
what it prints, and the time until the first page has synced. Needs root, mmdebstrap and port 8000.

Exit status: 0, all of it works; 1, something does not; 77, IT DID NOT RUN, for the printed reason.
"""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console

from app.core.clock import SystemClock
from tests.interop.node_toolchain import NODE_FOLDER, ensure_packages, node_executable
from tests.newcomer import readme
from tests.newcomer.debian import Debian, NotRun

Tell = Callable[[str], None]
PORT: Final = 8000
READY_SECONDS: Final = 600.0
PAGE_SECONDS: Final = 60
CLICKS: Final = 3
# As much of a browser as the page looks at. It is clicked when it has synced.
DOCUMENT: Final = """
const elements = {};
globalThis.document = {querySelector: (name) => (elements[name] ??= {})};
"""
CLICK: Final = f"""
await new Promise((done) => setTimeout(done, 200));
for (let click = 0; click < {CLICKS}; click++) elements['#add'].onclick();
await new Promise((done) => setTimeout(done, 500));
console.log(elements['#count'].value);
process.exit(0);
"""
LOOK: Final = """
const deadline = Date.now() + 20_000;
while (elements['#count'].value === undefined && Date.now() < deadline)
  await new Promise((done) => setTimeout(done, 20));
console.log(elements['#count'].value);
process.exit(0);
"""


def main() -> int:
    """Do it and return the exit status."""
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    clock = SystemClock()
    begun = clock.monotonic()

    def tell(text: str) -> None:
        console.print(f"{clock.monotonic() - begun:6.1f} s  {text}", markup=False)

    with tempfile.TemporaryDirectory(prefix="stateroom-newcomer-") as name:
        try:
            visit(Path(name), tell)
        except NotRun as reason:
            bar = "!" * 78
            console.print(f"{bar}\nTHE NEWCOMER'S WAY WAS NOT TRIED: {reason}\n{bar}", markup=False)
            return 77
        except (RuntimeError, TimeoutError, subprocess.SubprocessError) as failure:
            console.print(f"FAILED: {failure}", style="bold red", markup=False)
            return 1
    tell("everything works as printed")
    return 0


def visit(folder: Path, tell: Tell) -> None:
    """Walk through the README. Raises NotRun, RuntimeError or TimeoutError."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            raise NotRun(f"something listens on port {PORT}, which the README names")
    ensure_packages()
    debian = Debian(folder)
    debian.make()
    folder.chmod(0o755)
    tell("a clean Debian with a clean clone is there; now as a newcomer")
    log = folder / "run.log"
    clock = SystemClock()
    begun = clock.monotonic()
    (command,) = readme.commands("Run it")
    tell(f"$ {command}")
    with log.open("wb") as output:
        server = debian.start(command, output)
    try:
        _until_ready(server, log, clock)
        tell(f"ready after {clock.monotonic() - begun:.1f} s: {readme.ready_line()}")
        said = _page(folder, CLICK)
        if said != str(CLICKS):
            raise RuntimeError(f"the page shows {said!r} after {CLICKS} clicks")
        tell(f"page synced after {clock.monotonic() - begun:.1f} s: it shows {said}")
        if (said := _page(folder, LOOK)) != str(CLICKS):
            raise RuntimeError(f"a second page shows {said!r}")
        tell(f"another page shows {said} too")
        for command in readme.commands("Steer it"):
            typed = f".venv/bin/{command}" if command.startswith("stateroom ") else command
            tell(f"$ {typed}\n{debian.run(typed).rstrip()}")
        if (said := _page(folder, LOOK)) not in {"100", str(CLICKS)}:
            raise RuntimeError(f"after steering a page shows {said!r}")
    finally:
        debian.end(server)


def _until_ready(server: subprocess.Popen[bytes], log: Path, clock: SystemClock) -> None:
    deadline = clock.monotonic() + READY_SECONDS
    while readme.ready_line() not in log.read_text("utf-8", "replace"):
        if server.poll() is not None or clock.monotonic() > deadline:
            raise RuntimeError(f"`make run` does not get ready:\n{log.read_text('utf-8')[-3000:]}")
        time.sleep(0.1)


def _page(folder: Path, then: str) -> str:
    """Run the page's own script in Node, then do something; returns what is printed."""
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(NODE_FOLDER / "node_modules")
    script = folder / "page.mjs"
    script.write_text(f"{DOCUMENT}{readme.script_of_the_page()}{then}", "utf-8")
    done = subprocess.run(
        [node_executable(), "--preserve-symlinks", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=PAGE_SECONDS,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the page fails: {done.stderr[-2000:]}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
