import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that a server which drops root's privileges can pass through; pytest's is closed."""
    path = Path(tempfile.mkdtemp(prefix="stateroom-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)  # the database of a killed server may still write
