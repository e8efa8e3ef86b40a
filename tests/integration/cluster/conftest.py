"""Fixtures that several tests of this folder use."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from app.settings import load_settings
from app.store.database import Database
from app.wiring import Service
from tests.integration.cluster.alarmed import Alarmed
from tests.integration.cluster.pair import Pair


@pytest.fixture
async def pair(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    Alarmed.reset()
    services: list[Service] = []
    async with AsyncExitStack() as stack:
        for number in range(2):
            settings = load_settings(
                database_url=database_url,
                data_dir=tmp_path / f"{number}",
                lease_seconds=20.0,
            )
            service = Service(settings, {"alarmed": Alarmed})
            stack.push_async_callback(service.stop)
            await service.start()
            services.append(service)
        first, second = services
        yield Pair(first, second, database)
