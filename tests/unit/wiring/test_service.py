"""A worker between its first listener and its membership."""

from pathlib import Path
from uuid import UUID

from app.settings import load_settings
from app.wiring.service import Service


def test_who_dials_a_worker_that_is_still_starting_finds_nobody_and_breaks_nothing(
    tmp_path: Path,
) -> None:
    service = Service(load_settings(data_dir=tmp_path))
    assert service._link_id() == UUID(int=0)
