"""Long work beside the event loop leaves nothing for the collector to go through at once."""

import gc

from app.core.workshop import Workshop


async def test_what_long_work_made_is_not_gone_through_as_new() -> None:
    runs: list[int] = []

    def note(phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            runs.append(len(gc.get_objects(generation=0)))

    gc.collect()
    gc.callbacks.append(note)
    try:
        made = await Workshop().run(lambda: [[n] for n in range(200_000)])
        more = [[n] for n in range(2_000)]  # enough to set the collector off
    finally:
        gc.callbacks.remove(note)
    assert (len(made), len(more)) == (200_000, 2_000)
    assert runs, "the collector is at work again"
    assert max(runs) < 100_000


async def test_garbage_of_long_work_goes_when_everything_is_gone_through() -> None:
    def circle() -> None:
        for _ in range(50_000):
            ring: list[object] = []
            ring.append(ring)

    gc.collect()
    await Workshop().run(circle)
    assert gc.collect() >= 50_000
    assert gc.get_freeze_count() == 0
