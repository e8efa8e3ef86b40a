"""Mounted classes: import strings become classes and are checked before anything starts."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.cluster.namespaces import Namespaces, make_mount
from app.core.errors import ConfigurationInvalid, NamespaceClassInvalid, NamespaceUnknown
from app.core.mounts import Durability
from app.sdk import DurableObject


class Picky(DurableObject):
    @classmethod
    def check_settings(cls, settings: Mapping[str, str]) -> str | None:
        return f"does not know {sorted(settings)}" if "bad" in settings else None


def test_a_class_is_mounted_as_it_is_with_durability_commit() -> None:
    mount = make_mount("picky", Picky, {})
    assert (mount.namespace, mount.cls) == ("picky", Picky)
    assert mount.durability is Durability.COMMIT
    assert mount.settings == {}


def test_a_class_may_be_given_by_its_import_string() -> None:
    assert make_mount("base", "app.sdk.durable_object:DurableObject", {}).cls is DurableObject


@pytest.mark.parametrize("durability", list(Durability))
def test_durability_is_taken_out_of_the_options(durability: Durability) -> None:
    options = {"durability": durability.value, "other": "1"}
    mount = make_mount("picky", Picky, options)
    assert mount.durability is durability
    assert mount.settings == {"other": "1"}
    assert "durability" in options, "what was given is not changed"


def test_an_impossible_durability_names_the_possible_ones() -> None:
    with pytest.raises(ConfigurationInvalid, match="'sometimes' is not one of commit, relaxed"):
        make_mount("picky", Picky, {"durability": "sometimes"})


def test_the_class_itself_says_what_is_wrong_with_its_options() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"namespace 'picky': does not know \['bad'\]"):
        make_mount("picky", Picky, {"bad": "1"})


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("no.such.module:Class", "cannot be imported"),
        ("app.sdk:NoSuchClass", "has no class 'NoSuchClass'"),
        ("app.sdk:Request", "is not a subclass"),
        ("app.sdk:__all__", "is not a subclass"),
        ("app.sdk", "has no class ''"),
    ],
)
def test_an_import_string_that_leads_nowhere_says_why(target: str, problem: str) -> None:
    with pytest.raises(NamespaceClassInvalid, match=problem):
        make_mount("n", target, {})


def test_something_that_is_no_class_is_refused() -> None:
    with pytest.raises(NamespaceClassInvalid):
        make_mount("n", Picky.check_settings, {})  # type: ignore[arg-type]  # the point


def test_a_module_that_raises_on_import_is_told_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raises_on_import.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(NamespaceClassInvalid, match="raised ZeroDivisionError"):
        make_mount("n", "raises_on_import:Class", {})
    assert "raises_on_import" not in sys.modules


def test_mounts_are_found_by_name() -> None:
    mount = make_mount("picky", Picky, {})
    namespaces = Namespaces({"picky": mount})
    assert "picky" in namespaces
    assert "other" not in namespaces
    assert list(namespaces) == [mount]
    assert namespaces.mount("picky") is mount
    with pytest.raises(NamespaceUnknown, match="'other'"):
        namespaces.mount("other")
