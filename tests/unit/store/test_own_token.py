"""The token of a data directory: made once, for its owner alone, anew when it opens nothing."""

import stat
from pathlib import Path

import pytest

from app.core.admin import Role
from app.core.admin_tokens import TokenText
from app.core.errors import ConfigurationInvalid
from app.store.own_token import OWN_TOKEN_FILE, ensure_own_token, read_own_token
from app.testing.memory import MemoryDatabase
from app.testing.memory_admin import MemoryAdminTokens

NODE = "f" * 32


async def made(folder: Path, tokens: MemoryAdminTokens) -> TokenText:
    await ensure_own_token(folder, tokens, node=NODE)
    token = read_own_token(folder)
    assert token is not None
    stored = await tokens.find(token.token_id)
    assert stored is not None
    assert (stored.role, stored.valid, stored.secret_hash) == (
        Role.ADMIN,
        True,
        token.secret_hash,
    )
    return token


@pytest.fixture
def tokens() -> MemoryAdminTokens:
    return MemoryAdminTokens(MemoryDatabase())


async def test_it_is_made_once_and_only_its_owner_may_read_it(
    tmp_path: Path, tokens: MemoryAdminTokens
) -> None:
    token = await made(tmp_path, tokens)
    assert stat.S_IMODE((tmp_path / OWN_TOKEN_FILE).stat().st_mode) == 0o600
    assert not (tmp_path / f"{OWN_TOKEN_FILE}.new").exists()
    assert await made(tmp_path, tokens) == token


async def test_one_that_was_revoked_is_replaced(tmp_path: Path, tokens: MemoryAdminTokens) -> None:
    token = await made(tmp_path, tokens)
    await tokens.revoke(token.token_id)
    assert await made(tmp_path, tokens) != token


async def test_another_database_learns_the_same_token(
    tmp_path: Path, tokens: MemoryAdminTokens
) -> None:
    token = await made(tmp_path, tokens)
    assert await made(tmp_path, MemoryAdminTokens(MemoryDatabase())) == token


async def test_several_machines_have_tokens_of_their_own_in_one_database(
    tmp_path: Path, tokens: MemoryAdminTokens
) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    one, other = [await made(folder, tokens) for folder in folders]
    assert one != other


@pytest.mark.parametrize("text", ["", "hush", "stm_00_00", "\N{SNOWMAN}"])
async def test_a_file_that_holds_no_token_is_written_anew(
    tmp_path: Path, tokens: MemoryAdminTokens, text: str
) -> None:
    (tmp_path / OWN_TOKEN_FILE).write_text(text, "utf-8")
    assert read_own_token(tmp_path) is None
    await made(tmp_path, tokens)


async def test_a_folder_that_cannot_be_written_is_told_with_what_to_do(
    tmp_path: Path, tokens: MemoryAdminTokens
) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        await ensure_own_token(tmp_path / "nowhere", tokens, node=NODE)
    assert "STATEROOM_ADMIN_TOKEN" in caught.value.remedy
    assert await tokens.page(after=None, limit=9) == []
