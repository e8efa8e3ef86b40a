"""Object ids: the conformance list, A."""

from uuid import UUID

import pytest

from app.core.errors import IdInvalid
from app.core.ids import ObjectId, ObjectIds

_KEY = b"the key of one cluster"


@pytest.fixture
def ids() -> ObjectIds:
    return ObjectIds(_KEY)


def test_1_the_same_name_gives_the_same_id_in_any_process(ids: ObjectIds) -> None:
    assert ids.from_name("counter", "a") == ObjectIds(_KEY).from_name("counter", "a")
    assert str(ids.from_name("counter", "a")) == (
        "8587e954f78f0039385ab5ce940a34d94f070f34288af4b30666ad371defc141"
    )


def test_1_another_cluster_gives_another_id(ids: ObjectIds) -> None:
    assert ids.from_name("counter", "a") != ObjectIds(b"another key").from_name("counter", "a")


def test_2_the_same_name_in_two_namespaces_gives_two_ids(ids: ObjectIds) -> None:
    assert ids.from_name("counter", "a") != ids.from_name("other", "a")


def test_3_unique_ids_differ_and_have_no_name(ids: ObjectIds) -> None:
    made = [ids.unique("counter") for _ in range(20)]
    assert len(set(made)) == 20
    assert {each.name for each in made} == {None}


def test_4_5_an_id_prints_as_64_digits_and_comes_back_from_them(ids: ObjectIds) -> None:
    for made in (ids.from_name("counter", "a"), ids.unique("counter")):
        text = str(made)
        assert len(text) == 64
        assert set(text) <= set("0123456789abcdef")
        back = ids.from_string("counter", text)
        assert str(back) == text
        assert back == made


def test_5_upper_case_digits_mean_the_same(ids: ObjectIds) -> None:
    made = ids.from_name("counter", "a")
    assert str(ids.from_string("counter", str(made).upper())) == str(made)


@pytest.mark.parametrize(
    "text",
    ["", "0" * 63, "0" * 65, "g" * 64, "0" * 62 + "  ", " " * 64, "0" * 63 + "\n", "\u0660" * 64],
)
def test_6_anything_but_64_hex_digits_is_refused(ids: ObjectIds, text: str) -> None:
    with pytest.raises(IdInvalid, match="64 hex digits"):
        ids.from_string("counter", text)


def test_7_an_id_of_another_namespace_is_refused(ids: ObjectIds) -> None:
    with pytest.raises(IdInvalid, match="not valid for this namespace"):
        ids.from_string("other", str(ids.from_name("counter", "a")))


def test_8_one_changed_digit_makes_an_id_invalid(ids: ObjectIds) -> None:
    text = str(ids.from_name("counter", "a"))
    for at in range(64):
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        with pytest.raises(IdInvalid):
            ids.from_string("counter", changed)


def test_9_ids_are_compared_without_their_names(ids: ObjectIds) -> None:
    named = ids.from_name("counter", "a")
    nameless = ids.from_string("counter", str(named))
    assert named == nameless
    assert hash(named) == hash(nameless)
    assert len({named, nameless}) == 1


def test_10_a_name_is_known_only_where_it_was_given(ids: ObjectIds) -> None:
    named = ids.from_name("counter", "räum")
    assert named.name == "räum"
    assert ids.from_string("counter", str(named)).name is None


def test_12_a_name_over_1_024_bytes_leads_to_its_object_but_is_not_kept(ids: ObjectIds) -> None:
    assert ids.from_name("counter", "é" * 512).name == "é" * 512
    long = ids.from_name("counter", "é" * 512 + "x")
    assert long.name is None
    assert long == ids.from_name("counter", "é" * 512 + "x")


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
