from app.testing.harness import ObjectHarness
from examples.counter.counter import Counter


async def test_every_message_counts_and_everybody_hears_the_number() -> None:
    async with ObjectHarness({"counter": Counter}) as harness:
        alice = await harness.connect("counter", "visits")
        bob = await harness.connect("counter", "visits")
        alice.say("+1")
        bob.say("+1")
        await harness.settle()
        assert alice.received == bob.received == ["1", "2"]


async def test_the_count_goes_on_where_it_was_in_another_life_of_the_object() -> None:
    async with ObjectHarness({"counter": Counter}) as first:
        alice = await first.connect("counter", "visits")
        alice.say("+1")
        await first.settle()
    async with ObjectHarness({"counter": Counter}, database=first.database) as second:
        bob = await second.connect("counter", "visits")
        bob.say("+1")
        await second.settle()
        assert bob.received == ["2"]


async def test_every_name_counts_for_itself() -> None:
    async with ObjectHarness({"counter": Counter}) as harness:
        visits = await harness.connect("counter", "visits")
        orders = await harness.connect("counter", "orders")
        visits.say("+1")
        orders.say("+1")
        await harness.settle()
        assert (visits.received, orders.received) == (["1"], ["1"])
