"""The fixture that authors get, and the pages of the guide that use it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import stateroom.pytest_plugin
from app.core.errors import ConfigurationInvalid, NamespaceClassInvalid
from app.testing.harness import ObjectHarness
from app.testing.sockets import MemorySocket
from examples.counter.counter import Counter
from stateroom.pytest_plugin import HarnessMaker

ROOT = Path(__file__).parents[3]


async def test_the_fixture_makes_a_worker_for_classes_and_import_strings(
    object_harness: HarnessMaker,
) -> None:
    classes: dict[str, type[Any] | str] = {
        "counter": Counter,
        "text": "examples.counter.counter:Counter",
    }
    async with object_harness(classes) as harness:
        for namespace in classes:
            alice = await harness.connect(namespace, "visits")
            alice.say("+1")
            await harness.settle()
            assert alice.take() == ["1"]
            assert harness.contents(namespace, "visits") == {"count": 1}


async def test_options_are_those_of_the_mount(object_harness: HarnessMaker) -> None:
    options = {"counter": {"durability": "relaxed"}}
    async with object_harness({"counter": Counter}, options=options) as harness:
        alice = await harness.connect("counter", "visits")
        harness.committer.hold()
        alice.say("+1")
        await harness.settle()
        assert alice.take() == ["1"], "a relaxed object speaks at once"
    with pytest.raises(ConfigurationInvalid):
        object_harness({"counter": Counter}, options={"counter": {"durability": "some"}})
    with pytest.raises(NamespaceClassInvalid):
        object_harness({"counter": "examples.counter.counter:Missing"})


async def test_a_commit_may_be_made_to_fail(object_harness: HarnessMaker) -> None:
    async with object_harness({"counter": Counter}) as harness:
        alice = await harness.connect("counter", "visits")
        harness.fail_next_commit()
        alice.say("+1")
        await harness.settle()
        assert alice.take() == []
        assert alice.closed == (1012, "ownership_lost")
        assert harness.contents("counter", "visits") == {}


async def test_an_object_that_is_busy_does_not_rest(object_harness: HarnessMaker) -> None:
    async with object_harness({"counter": Counter}) as harness:
        alice = await harness.connect("counter", "visits")
        harness.committer.hold()
        alice.say("+1")
        with pytest.raises(RuntimeError, match="not idle"):
            await harness.rest("counter", "visits")
        harness.committer.release()
        await harness.rest("counter", "visits")


def test_the_public_plugin_hands_on_what_authors_name_in_their_tests() -> None:
    assert stateroom.pytest_plugin.ObjectHarness is ObjectHarness
    assert stateroom.pytest_plugin.MemorySocket is MemorySocket
    with pytest.raises(AttributeError, match="Missing"):
        _ = stateroom.pytest_plugin.Missing


def test_loading_the_plugin_imports_nothing_of_the_engine() -> None:
    look = (
        "import sys, stateroom.pytest_plugin; "
        "engine = ('app.room', 'app.cluster'); "
        "print([name for name in sys.modules if name.startswith(engine)])"
    )
    out = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert out == "[]\n"
