"""What the admin plane keeps: `core.admin_tokens`, `core.audit` and `core.repeats`."""

from datetime import timedelta
from uuid import UUID, uuid4

from app.core.admin import Role
from app.core.admin_tokens import AdminToken, TokenText
from app.core.audit import AuditFilter, Intent, Result
from app.core.instants import instant_of_ms
from app.core.repeats import Claim, Earlier
from tests.contract.worlds import World

YEAR_2100 = instant_of_ms(4_102_444_800_000)
YEAR_2001 = instant_of_ms(978_307_200_000)


async def made(world: World, name: str, **given: object) -> tuple[TokenText, AdminToken]:
    text = TokenText.new()
    role, expires_at = Role.OPERATOR, given.get("expires_at")
    assert expires_at is None or expires_at in {YEAR_2001, YEAR_2100}
    token = await world.tokens.add(text, name=name, role=role, by="tests", expires_at=expires_at)  # type: ignore[arg-type]  # checked just before
    assert token is not None
    return text, token


async def test_a_token_is_found_by_its_public_part_and_proved_by_its_secret(world: World) -> None:
    text, token = await made(world, "ci")
    found = await world.tokens.find(text.token_id)
    assert found == token
    assert (found.name, found.role, found.created_by, found.valid) == (
        "ci",
        Role.OPERATOR,
        "tests",
        True,
    )
    assert found.secret_hash == text.secret_hash != TokenText.new().secret_hash
    assert await world.tokens.find("0" * 16) is None


async def test_a_name_is_free_again_when_its_token_is_revoked(world: World) -> None:
    text, _ = await made(world, "ci")
    again = TokenText.new()
    role = Role.VIEWER
    assert await world.tokens.add(again, name="ci", role=role, by="x", expires_at=None) is None
    revoked = await world.tokens.revoke(text.token_id)
    assert revoked is not None
    assert not revoked.valid
    assert revoked.revoked_at is not None
    assert await world.tokens.add(again, name="ci", role=role, by="x", expires_at=None)
    assert await world.tokens.revoke(text.token_id) == revoked
    assert await world.tokens.revoke("0" * 16) is None


async def test_an_expired_token_is_not_valid(world: World) -> None:
    assert (await made(world, "old", expires_at=YEAR_2001))[1].valid is False
    assert (await made(world, "new", expires_at=YEAR_2100))[1].valid is True


async def test_the_last_use_is_noted_to_the_hour(world: World) -> None:
    text, token = await made(world, "ci")
    assert token.last_used_at is None
    await world.tokens.used(text.token_id)
    first = await world.tokens.find(text.token_id)
    await world.tokens.used(text.token_id)
    assert first is not None
    assert first.last_used_at is not None
    assert await world.tokens.find(text.token_id) == first


async def test_tokens_are_listed_in_the_order_of_their_ids(world: World) -> None:
    tokens = sorted([(await made(world, f"t{n}"))[1] for n in range(3)], key=lambda t: t.token_id)
    assert await world.tokens.page(after=None, limit=2) == tokens[:2]
    assert await world.tokens.page(after=tokens[1].token_id, limit=2) == tokens[2:]


def intent(number: int, **given: str) -> Intent:
    fields = {"caller": "ci", "role": "admin", "operation": "put", "path": "/x"} | given
    return Intent(audit_id=UUID(int=number), **fields)


async def test_a_record_is_there_before_its_result_and_the_first_result_stays(
    world: World,
) -> None:
    wanted = intent(1, namespace="notes", object="a\x01/ü")
    await world.audit.begin(wanted)
    await world.audit.begin(wanted)
    (record,) = await world.audit.page(AuditFilter(), after=None, limit=9)
    assert (record.intent, record.result) == (wanted, None)
    await world.audit.complete(wanted.audit_id, Result(status=200))
    await world.audit.complete(wanted.audit_id, Result(status=500, code="late"))
    (record,) = await world.audit.page(AuditFilter(), after=None, limit=9)
    assert record.result == Result(status=200)


async def test_a_refusal_is_written_at_once(world: World) -> None:
    await world.audit.begin(intent(1), Result(status=403, code="role_too_low"))
    (record,) = await world.audit.page(AuditFilter(), after=None, limit=9)
    assert record.result == Result(status=403, code="role_too_low")


async def test_records_are_listed_newest_first_and_narrowed_by_filters(world: World) -> None:
    await world.audit.begin(intent(1, namespace="notes", object="a"))
    await world.audit.begin(intent(2, namespace="notes", object="b", caller="me"))
    await world.audit.begin(intent(3, operation="evict"))

    async def found(wanted: AuditFilter, after: int | None = None, limit: int = 9) -> list[int]:
        behind = None if after is None else UUID(int=after)
        records = await world.audit.page(wanted, after=behind, limit=limit)
        return [record.intent.audit_id.int for record in records]

    assert await found(AuditFilter()) == [3, 2, 1]
    assert await found(AuditFilter(), after=3, limit=1) == [2]
    assert await found(AuditFilter(caller="ci")) == [3, 1]
    assert await found(AuditFilter(operation="evict")) == [3]
    assert await found(AuditFilter(namespace="notes", object="b")) == [2]
    records = await world.audit.page(AuditFilter(), after=None, limit=9)
    at = records[0].at
    assert await found(AuditFilter(since=at - timedelta(days=1), until=at + timedelta(days=1)))
    assert await found(AuditFilter(since=at + timedelta(days=1))) == []
    assert await found(AuditFilter(until=at - timedelta(days=1))) == []


async def test_old_records_are_pruned_and_young_ones_stay(world: World) -> None:
    for number in range(3):
        await world.audit.begin(intent(number))
    assert await world.audit.prune(days=1, limit=9) == 0
    assert await world.audit.prune(days=-1, limit=2) == 2
    (left,) = await world.audit.page(AuditFilter(), after=None, limit=9)
    assert left.intent.audit_id.int == 2


def claim(key: str = "k", fingerprint: bytes = b"f", caller: str = "ci") -> Claim:
    return Claim(caller=caller, key=key, fingerprint=fingerprint, request_id=uuid4())


async def test_of_two_requests_with_one_key_the_second_finds_the_first(world: World) -> None:
    first = claim()
    assert await world.repeats.claim(first) is None
    assert await world.repeats.claim(first) is None  # the statement was only sent twice
    earlier = await world.repeats.claim(claim(fingerprint=b"other"))
    assert isinstance(earlier, Earlier)
    assert (earlier.fingerprint, earlier.status, earlier.body) == (b"f", None, b"")
    assert earlier.age_seconds < 3_600
    assert await world.repeats.claim(claim(caller="another")) is None


async def test_an_answer_is_kept_for_whoever_asks_again(world: World) -> None:
    first = claim()
    await world.repeats.claim(first)
    await world.repeats.answer(claim(), status=500, body=b"of another request")
    await world.repeats.answer(first, status=201, body=b"{}")
    await world.repeats.release(first)
    earlier = await world.repeats.claim(claim())
    assert earlier is not None
    assert (earlier.status, earlier.body) == (201, b"{}")


async def test_a_key_that_was_given_back_is_free(world: World) -> None:
    first = claim()
    await world.repeats.claim(first)
    await world.repeats.release(claim())
    assert await world.repeats.claim(claim()) is not None
    await world.repeats.release(first)
    assert await world.repeats.claim(claim()) is None


async def test_old_keys_are_forgotten(world: World) -> None:
    await world.repeats.claim(claim())
    assert await world.repeats.prune(seconds=3_600, limit=9) == 0
    assert await world.repeats.prune(seconds=-3_600, limit=9) == 1
    assert await world.repeats.claim(claim()) is None
