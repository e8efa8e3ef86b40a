"""Which server a command speaks to, and what it shows it."""

from pathlib import Path

import pytest

from app.cli.reaching import server_of, token_of
from app.core.admin_tokens import TokenText
from app.settings import load_settings
from app.store.own_token import OWN_TOKEN_FILE


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"port": 9, "host": "0.0.0.0"}, "http://127.0.0.1:9"),
        ({"host": "::"}, "http://[::1]:8000"),
        ({"host": "::1"}, "http://[::1]:8000"),
        ({"server": "https://rooms.example"}, "https://rooms.example"),
    ],
)
def test_the_server_is_the_one_that_is_named_or_the_one_here(
    given: dict[str, object], url: str
) -> None:
    assert server_of(load_settings(**given)) == url


def test_the_token_of_this_machine_is_shown_to_no_other(tmp_path: Path) -> None:
    left = TokenText.new()
    (tmp_path / OWN_TOKEN_FILE).write_text(str(left))
    (tmp_path / OWN_TOKEN_FILE).chmod(0o600)
    for here in ("", "http://localhost:8000", "http://[::1]:1"):
        assert token_of(load_settings(data_dir=tmp_path, server=here)) == str(left)
    elsewhere = {"data_dir": tmp_path, "server": "https://rooms.example"}
    assert token_of(load_settings(**elsewhere)) == ""
    given = "a-token-of-that-server"
    assert token_of(load_settings(**elsewhere, admin_token=given)) == given
