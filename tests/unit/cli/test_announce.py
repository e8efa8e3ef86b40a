"""What a start tells on standard output: how to get in, and no secret that a log would keep."""

from pathlib import Path

import pytest

from app import BUILD
from app.cli.serving import announce, carrier_of
from app.core.admin_tokens import TokenText
from app.settings import load_settings
from app.store.own_token import OWN_TOKEN_FILE

URL = "http://127.0.0.1:8000"


def test_the_ready_line_comes_first_and_the_token_of_the_settings_is_named_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    announce(load_settings(data_dir=tmp_path, admin_token="hush-hush-hush-hush"), URL)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Stateroom is ready: {URL}  (rooms: ws://127.0.0.1:8000/{{room}})"
    assert lines[2] == f"  sockets: picows; code: {BUILD.value}"
    assert lines[-1] == f"  admin: {URL}/admin/  (token: STATEROOM_ADMIN_TOKEN)"
    assert "hush" not in "\n".join(lines)


def test_a_token_that_a_start_has_made_is_named_by_its_file_where_nobody_reads_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = TokenText.new()
    (tmp_path / OWN_TOKEN_FILE).write_text(f"{token}\n")
    announce(load_settings(data_dir=tmp_path), URL)
    told = capsys.readouterr().out
    assert str(tmp_path / OWN_TOKEN_FILE) in told
    assert token.secret not in told


def test_what_carries_sockets_is_told_as_the_settings_make_it() -> None:
    assert carrier_of(load_settings()) == "picows"
    assert carrier_of(load_settings(socket_engine="uvicorn")) == "uvicorn"
    assert carrier_of(load_settings(socket_deflate=True)) == "uvicorn with permessage-deflate"
