"""What is there after both servers were killed (E, N)."""

from typing import Any

from tests.interop.compared.sides import Side

WORDS = 20
NUMBERS = (53, 54, 167, 214)


async def before(side: Side) -> Any:
    """Write, and hear that it is written."""
    answers = [
        await side.run("killed", ["put", f"k{number:02}", number], ["mark", "lost"])
        for number in range(WORDS)
    ]
    async with side.socket("killed-by-socket") as talk:
        spoken = [await talk.steps(["put", f"k{number:02}", number]) for number in range(WORDS)]
    await side.run("killed-with-alarm", ["set_alarm", 600_000])
    return [answers, spoken]


async def after(side: Side) -> dict[int, Any]:
    """What each statement of `NUMBERS` sees."""
    return {
        53: await side.run("killed", ["list", {}]),
        54: await side.run("killed-by-socket", ["list", {}]),
        167: await side.run("killed-with-alarm", ["alarm_set"]),
        214: await side.run("killed", ["words"], ["get", "k00"]),
    }
