"""Tokens: who is let in, and what guessing costs."""

import re
from collections.abc import AsyncIterator

import pytest

from app.core.admin import Role
from app.core.admin_tokens import TokenText
from app.core.instants import instant_of_ms
from app.web.admin.guessing import FORGIVEN_SECONDS, WRONG_IN_A_ROW
from tests.unit.web.admin.plane import Plane, plane_of


@pytest.fixture
async def plane() -> AsyncIterator[Plane]:
    async with plane_of() as made:
        yield made


@pytest.mark.parametrize("role", list(Role))
async def test_a_token_has_its_name_and_role(plane: Plane, role: Role) -> None:
    body = {"name": f"holder of {role}", "role": role.value}
    made = await plane.ask("POST", "/tokens", json=body)
    assert made.status_code == 201
    assert re.fullmatch(r"stm_[0-9a-f]{16}_[0-9a-f]{64}", made.json()["token"])
    me = await plane.ask("GET", "/me", token=made.json()["token"])
    assert (me.json()["name"], me.json()["role"]) == (f"holder of {role}", role.value)


async def test_a_token_is_shown_once_and_kept_as_a_hash(plane: Plane) -> None:
    made = await plane.ask("POST", "/tokens", json={"name": "ci", "role": "viewer"})
    secret = made.json()["token"].rsplit("_", 1)[1]
    listed = await plane.ask("GET", "/tokens")
    assert [each["name"] for each in listed.json()["items"]] == ["ci"]
    assert secret not in listed.text
    (stored,) = await plane.tokens.page(after=None, limit=9)
    assert secret.encode() not in stored.secret_hash
    assert secret not in repr(stored)


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", "ü", " a", "settings"])
async def test_a_name_that_an_audit_could_not_tell_is_refused(plane: Plane, name: str) -> None:
    answer = await plane.ask("POST", "/tokens", json={"name": name, "role": "viewer"})
    assert answer.status_code == (409 if name == "settings" else 422)


async def test_a_name_belongs_to_one_token_until_it_is_revoked(plane: Plane) -> None:
    body = {"name": "ci", "role": "viewer"}
    made = await plane.ask("POST", "/tokens", json=body)
    again = await plane.ask("POST", "/tokens", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "token_name_taken")
    revoked = await plane.ask("DELETE", f"/tokens/{made.json()['id']}")
    assert (revoked.status_code, revoked.json()["valid"]) == (200, False)
    assert (await plane.ask("POST", "/tokens", json=body)).status_code == 201


async def test_a_revoked_and_an_expired_token_open_nothing(plane: Plane) -> None:
    made = await plane.ask("POST", "/tokens", json={"name": "ci", "role": "admin"})
    token = made.json()["token"]
    assert (await plane.ask("GET", "/me", token=token)).status_code == 200
    await plane.ask("DELETE", f"/tokens/{made.json()['id']}")
    assert (await plane.ask("GET", "/me", token=token)).status_code == 401
    expired = TokenText.new()
    await plane.tokens.add(
        expired, name="old", role=Role.ADMIN, by="x", expires_at=instant_of_ms(0)
    )
    assert (await plane.ask("GET", "/me", token=str(expired))).status_code == 401


async def test_the_public_part_alone_proves_nothing(plane: Plane) -> None:
    token = await plane.token(Role.ADMIN)
    other = TokenText.new()
    for wrong in (
        f"{token[:21]}{other.secret}",
        str(other),
        token[:-1],
        token.upper(),
        f"{token}0",
        "stm_",
    ):
        answer = await plane.ask("GET", "/me", token=wrong)
        assert (answer.status_code, answer.json()["code"]) == (401, "admin_token_required")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_who_guesses_is_slowed_and_who_was_right_before_is_not(plane: Plane) -> None:
    right, unheard = await plane.token(Role.VIEWER), await plane.token(Role.VIEWER)
    assert (await plane.ask("GET", "/me", token=right)).status_code == 200
    for _ in range(WRONG_IN_A_ROW):
        assert (await plane.ask("GET", "/me", token="wrong")).status_code == 401
    for token in ("wrong", unheard):
        slowed = await plane.ask("GET", "/me", token=token)
        assert (slowed.status_code, slowed.json()["code"]) == (429, "too_many_guesses")
        assert int(slowed.headers["retry-after"]) > 0
    assert (await plane.ask("GET", "/me", token=right)).status_code == 200
    plane.clock.advance(FORGIVEN_SECONDS)
    assert (await plane.ask("GET", "/me", token=unheard)).status_code == 200


async def test_without_the_database_the_token_of_the_settings_is_still_known(
    plane: Plane,
) -> None:
    token = await plane.token(Role.ADMIN)
    plane.database.away = True
    answer = await plane.ask("GET", "/me", token=token)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert (await plane.ask("GET", "/me")).status_code == 200


async def test_tokens_are_listed_page_by_page(plane: Plane) -> None:
    for number in range(5):
        await plane.ask("POST", "/tokens", json={"name": f"t{number}", "role": "viewer"})
    names: list[str] = []
    cursor: str | None = ""
    for _ in range(3):
        page = (await plane.ask("GET", f"/tokens?limit=2{cursor}")).json()
        names += [each["name"] for each in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert cursor is None
    assert sorted(names) == [f"t{number}" for number in range(5)]
    foreign = await plane.ask("GET", "/audit?cursor=abc")
    assert (foreign.status_code, foreign.json()["code"]) == (400, "cursor_invalid")
