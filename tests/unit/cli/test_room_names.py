import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.room_names import RoomName, parse_room, segment


def test_a_plain_name_is_a_room_of_tinybase() -> None:
    assert parse_room("notes") == RoomName("tinybase", "notes")


def test_the_first_slash_ends_the_namespace() -> None:
    assert parse_room("tinybase/team/notes") == RoomName("tinybase", "team/notes")
    assert str(parse_room("counter/a")) == "counter/a"


@pytest.mark.parametrize("text", ["", "/name", "counter/"])
def test_what_names_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="namespace/name"):
        parse_room(text)


def test_an_address_quotes_every_segment_for_itself() -> None:
    room = RoomName("counter", "a/b c?")
    assert room.below("storage", "k/1") == (
        "/namespaces/counter/objects/a%2Fb%20c%3F/storage/k%2F1"
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_segment_is_one_segment_and_never_climbs(text: str) -> None:
    quoted = segment(text)
    assert "/" not in quoted
    assert quoted not in {".", ".."}
