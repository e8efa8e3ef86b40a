"""Object ids: what the conformance tests (A) do not say of them."""

from uuid import UUID

import pytest

from app.core.errors import IdInvalid
from app.core.ids import ObjectId, ObjectIds

_KEY = b"the key of one cluster"


@pytest.fixture
def ids() -> ObjectIds:
    return ObjectIds(_KEY)


def test_another_cluster_gives_another_id(ids: ObjectIds) -> None:
    assert ids.from_name("counter", "a") != ObjectIds(b"another key").from_name("counter", "a")


def test_upper_case_digits_mean_the_same(ids: ObjectIds) -> None:
    made = ids.from_name("counter", "a")
    assert str(ids.from_string("counter", str(made).upper())) == str(made)


def test_a_name_over_2_049_bytes_is_refused(ids: ObjectIds) -> None:
    ids.from_name("counter", "x" * 2_049)
    with pytest.raises(IdInvalid, match="2050 bytes"):
        ids.from_name("counter", "x" * 2_050)


@pytest.mark.parametrize("name", ["a\0b", "\ud83d"])
def test_names_that_no_text_column_can_hold_are_refused(ids: ObjectIds, name: str) -> None:
    with pytest.raises(IdInvalid):
        ids.from_name("counter", name)


def test_the_empty_name_is_a_name(ids: ObjectIds) -> None:
    assert ids.from_name("counter", "").name == ""


def test_neither_name_nor_check_value_stands_in_an_ids_repr_twice(ids: ObjectIds) -> None:
    made = ids.from_name("counter", "a")
    assert made.check.hex() not in repr(made)


def test_the_store_may_bring_its_own_uuid_class() -> None:
    class DriverUuid(UUID):
        pass

    made = ObjectIds(_KEY, uuid_type=lambda raw: DriverUuid(bytes=raw)).from_name("counter", "a")
    assert isinstance(made.uuid, DriverUuid)
    assert made == ObjectIds(_KEY).from_name("counter", "a")
    assert isinstance(made, ObjectId)
