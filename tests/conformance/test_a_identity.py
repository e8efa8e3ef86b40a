"""Ids, names and stubs: what names an object, and what it costs to name one (A)."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import IdInvalid
from app.core.ids import ObjectIds
from app.sdk import DurableObject, Namespace
from app.testing.harness import ObjectHarness
from tests.conformance import held
from tests.conformance.held import Held
from tests.conformance.verdicts import not_offered

_KEY = b"the key of one cluster"


class Counter(DurableObject):
    """Counts in storage."""

    async def add(self, amount: int) -> int:
        total: int = await self.ctx.storage.get("total", 0) + amount
        self.ctx.storage.put("total", total)
        return total


class RenamedCounter(Counter):
    """The same class under another name, as after a change of the code."""


@pytest.fixture
def ids() -> ObjectIds:
    return ObjectIds(_KEY)


@pytest.fixture
async def harness() -> AsyncIterator[ObjectHarness]:
    held.reset()
    async with ObjectHarness({"held": Held, "other": Held}) as made:
        yield made


@pytest.fixture
def namespace(harness: ObjectHarness) -> Namespace:
    return harness.stubs.namespace("held")


def test_001_the_same_name_gives_the_same_id_in_any_process(ids: ObjectIds) -> None:
    """The same name in the same namespace gives the same id, in every process and for ever."""
    assert ids.from_name("counter", "a") == ObjectIds(_KEY).from_name("counter", "a")
    assert str(ids.from_name("counter", "a")) == (
        "8587e954f78f0039385ab5ce940a34d94f070f34288af4b30666ad371defc141"
    )


def test_002_the_same_name_in_two_namespaces_gives_two_ids(ids: ObjectIds) -> None:
    """The same name in two namespaces gives two ids."""
    assert ids.from_name("counter", "a") != ids.from_name("other", "a")
    assert str(ids.from_name("counter", "a")) != str(ids.from_name("other", "a"))


def test_003_unique_ids_differ(namespace: Namespace) -> None:
    """No two unique ids are equal."""
    made = [namespace.new_unique_id() for _ in range(100)]
    assert len(set(made)) == 100
    assert len({str(each) for each in made}) == 100


def test_004_an_id_prints_as_64_lower_case_hex_digits(namespace: Namespace) -> None:
    """An id prints as 64 lower-case hex digits."""
    for made in (namespace.id_from_name("Zoë"), namespace.new_unique_id()):
        assert len(str(made)) == 64
        assert set(str(made)) <= set("0123456789abcdef")


def test_005_an_id_made_from_its_text_prints_the_same(namespace: Namespace) -> None:
    """An id that is made from the text of an id prints the same text."""
    for made in (namespace.id_from_name("a"), namespace.new_unique_id()):
        back = namespace.id_from_string(str(made))
        assert str(back) == str(made)
        assert back == made


@pytest.mark.parametrize(
    "text",
    ["", "0" * 63, "0" * 65, "g" * 64, "0" * 62 + "  ", " " * 64, "0" * 63 + "\n", "\u0660" * 64],
)
def test_006_anything_but_64_hex_digits_is_refused(namespace: Namespace, text: str) -> None:
    """A text that is not 64 hex digits is refused with an error that says so."""
    with pytest.raises(IdInvalid, match="64 hex digits") as refused:
        namespace.id_from_string(text)
    assert isinstance(refused.value, ValueError)


async def test_007_an_id_of_another_namespace_is_refused(
    harness: ObjectHarness, namespace: Namespace
) -> None:
    """An id of another namespace is refused as not valid for this one, as text and as an id."""
    foreign = harness.stubs.namespace("other").id_from_name("a")
    with pytest.raises(IdInvalid, match="not valid for this namespace"):
        namespace.id_from_string(str(foreign))
    with pytest.raises(IdInvalid):
        namespace.get(foreign)


def test_008_one_changed_digit_makes_an_id_invalid(namespace: Namespace) -> None:
    """A valid id is no longer valid when any one of its digits is changed."""
    text = str(namespace.id_from_name("a"))
    for at in range(64):
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        with pytest.raises(IdInvalid):
            namespace.id_from_string(changed)


def test_009_ids_are_compared_without_their_names(namespace: Namespace) -> None:
    """Ids are compared by the object they mean: one with its name equals one without."""
    named = namespace.id_from_name("a")
    nameless = namespace.id_from_string(str(named))
    assert named.equals(nameless)
    assert named == nameless
    assert len({named, nameless}) == 1
    assert not named.equals(namespace.id_from_name("b"))


def test_010_a_name_is_known_where_it_was_given(namespace: Namespace) -> None:
    """An id knows its name when it was made from it; unique ids and ids made from text do not."""
    named = namespace.id_from_name("räum")
    assert named.name == "räum"
    assert namespace.new_unique_id().name is None
    assert namespace.id_from_string(str(named)).name is None


async def test_012_a_name_over_1_024_bytes_is_not_kept(namespace: Namespace) -> None:
    """A name of 1,024 bytes is kept; a longer one leads to its object, which has no name then."""
    kept, lost = "é" * 512, "é" * 512 + "x"
    assert await namespace.get_by_name(kept).own_name() == kept
    assert await namespace.get_by_name(lost).own_name() is None
    await namespace.get_by_name(lost).add(1)
    assert await namespace.get_by_name(lost).add(1) == 2


async def test_015_ids_and_stubs_cost_nothing_and_start_nothing(harness: ObjectHarness) -> None:
    """Making ids and stubs asks nobody and starts nothing."""
    harness.database.away = True
    namespace = harness.stubs.namespace("held")
    stubs = [
        namespace.get_by_name("a"),
        namespace.get(namespace.new_unique_id()),
        namespace.get(namespace.id_from_string(str(namespace.id_from_name("b")))),
    ]
    await harness.settle()
    harness.database.away = False
    assert len(stubs) == 3
    assert Held.starts == 0
    assert len(harness.registry) == 0
    assert not harness.database.objects


async def test_016_get_by_name_is_get_of_the_id_from_that_name(namespace: Namespace) -> None:
    """`get_by_name(name)` is the same object as `get(id_from_name(name))`."""
    assert await namespace.get_by_name("a").add(1) == 1
    assert await namespace.get(namespace.id_from_name("a")).add(1) == 2


def test_017_a_stub_knows_its_id_and_name(namespace: Namespace) -> None:
    """A stub has the id it was made with, and its name."""
    object_id = namespace.id_from_name("a")
    stub = namespace.get(object_id)
    assert stub.id is object_id
    assert stub.name == "a"
    assert namespace.get(namespace.new_unique_id()).name is None


async def test_018_a_hint_of_a_place_changes_nothing_about_who_is_meant(
    namespace: Namespace,
) -> None:
    """A hint of where an object should live does not change which object a stub means."""
    assert await namespace.get_by_name("a", location_hint="weur").add(1) == 1
    assert await namespace.get_by_name("a", location_hint="apac").add(1) == 2
    assert await namespace.get(namespace.id_from_name("a"), location_hint="wnam").add(1) == 3


@not_offered("objects cannot be bound to a jurisdiction: a cluster stands in one place")
def test_019_there_are_no_ids_restricted_to_a_jurisdiction(namespace: Namespace) -> None:
    """An id that is restricted to a jurisdiction is refused by a namespace of another one."""
    with pytest.raises(TypeError, match="jurisdiction"):
        namespace.new_unique_id(jurisdiction="eu")  # type: ignore[call-arg]  # that is the point
    assert not hasattr(namespace.id_from_name("a"), "jurisdiction")


@not_offered("objects cannot be bound to a jurisdiction: a cluster stands in one place")
def test_020_there_are_no_namespaces_restricted_to_a_jurisdiction(namespace: Namespace) -> None:
    """The same name under two jurisdictions is two objects."""
    assert not hasattr(namespace, "jurisdiction")


async def test_021_a_renamed_class_keeps_its_objects_as_long_as_its_namespace_does() -> None:
    """A class may be renamed: what its objects stored belongs to the namespace."""
    async with ObjectHarness({"counter": Counter}) as before:
        assert await before.stub("counter", "a").add(2) == 2
        await before.registry.drain(deadline_seconds=60)
        database, clock = before.database, before.clock
    renamed = {"counter": RenamedCounter}
    async with ObjectHarness(renamed, database=database, clock=clock, node="new") as after:
        assert await after.stub("counter", "a").add(3) == 5
