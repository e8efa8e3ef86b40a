"""Where the database is, as a URL says it."""

import pytest

from app.core.errors import ConfigurationInvalid
from app.store.driver import ConnectTarget


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgres://me:secret@db.example:5433/rooms", "db.example:5433/rooms"),
        ("postgresql://me:secret@db.example/rooms?sslmode=require", "db.example/rooms"),
        ("postgresql+asyncpg://db.example/rooms", "db.example/rooms"),
        ("postgresql://me@/rooms?host=/run/postgresql", "a local socket/rooms"),
    ],
)
def test_the_address_is_told_without_user_and_password(url: str, address: str) -> None:
    target = ConnectTarget.from_url(url)
    assert target.address == address
    assert target.dsn.startswith("postgresql://")
    assert "secret" not in repr(target)


@pytest.mark.parametrize("url", ["", "rooms", "mysql://me:secret@db/rooms", "http://db"])
def test_another_scheme_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        ConnectTarget.from_url(url)
    assert "secret" not in str(caught.value)
