"""Fixtures of the tests through real proxies: recording upstreams, proxies started on demand."""

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from bench.measurement import free_port
from bench.proxies import ALL
from bench.proxy import Proxy
from tests.doubles.recording_upstream import RecordingUpstream, recording
from tests.interop.client_host import ClientHost, running_host
from tests.interop.node_toolchain import ensure_packages

KINDS = {kind.program: kind for kind in ALL}


class Proxies:
    """Starts proxies, and ends them when the test does."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._numbers = itertools.count(1)

    async def start(
        self, program: str, servers: Sequence[int], changes: Mapping[str, str] | None = None
    ) -> Proxy:
        """Start the proxy of that program before these ports."""
        folder = self._folder / f"{program}-{next(self._numbers)}"
        proxy = KINDS[program](folder, free_port(), servers, changes)
        self._stack.push_async_callback(proxy.stop)
        await proxy.start()
        return proxy


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder of the test's own, which a proxy that drops its privileges may pass."""
    made = Path(tempfile.mkdtemp(prefix="stateroom-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest_asyncio.fixture
async def upstreams() -> AsyncIterator[list[RecordingUpstream]]:
    """Two servers that tell what reached them, and ping twice a second."""
    async with recording(0, ping_seconds=0.5) as one, recording(1, ping_seconds=0.5) as two:
        yield [one, two]


@pytest_asyncio.fixture
async def proxies(folder: Path) -> AsyncIterator[Proxies]:
    async with AsyncExitStack() as stack:
        yield Proxies(folder, stack)


@pytest_asyncio.fixture
async def host() -> AsyncIterator[ClientHost]:
    """A Node process for real TinyBase clients."""
    ensure_packages()
    async with running_host() as running:
        yield running
