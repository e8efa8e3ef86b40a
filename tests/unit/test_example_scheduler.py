import importlib
from typing import Any

from app.core.codec import dump_json, parse_json
from app.sdk import DurableObject, Request, Response
from app.testing.harness import ObjectHarness

Scheduler = importlib.import_module("examples.scheduler.scheduler").Scheduler
Report = importlib.import_module("examples.scheduler.report").Report


class Broken(DurableObject):
    """Answers like a server in trouble, until it is mended."""

    mended = False

    def on_request(self, request: Request) -> Response:
        return Response(status=200 if self.mended else 503)


CLASSES = {"jobs": Scheduler, "report": Report, "broken": Broken}


async def ask(harness: ObjectHarness, method: str, path: str, job: Any = None) -> Any:
    body = b"" if job is None else dump_json(job)
    answer = await harness.request("jobs", "mine", Request(method=method, path=path, body=body))
    raw = answer.body
    assert isinstance(raw, bytes | str)
    return answer.status if not raw or answer.media_type is None else parse_json(raw)


async def made(harness: ObjectHarness) -> Any:
    answer = await harness.request("report", "sales", Request())
    assert isinstance(answer.body, bytes | str)
    return parse_json(answer.body)


async def test_a_job_asks_its_object_again_and_again_until_it_is_taken_off_the_list() -> None:
    async with ObjectHarness(CLASSES) as harness:
        job = {"ask": ["report", "sales"], "every_seconds": 60}
        assert await ask(harness, "PUT", "/jobs/nightly", job) == 202
        assert list(await ask(harness, "GET", "/jobs")) == ["nightly"]
        await harness.advance(181)
        assert await made(harness) == {"made": 3}
        assert await ask(harness, "DELETE", "/jobs/nightly") == 204
        await harness.advance(120)
        assert await made(harness) == {"made": 3}
        assert await ask(harness, "GET", "/jobs") == {}


async def test_a_job_that_keeps_failing_is_listed_and_can_be_tried_again() -> None:
    async with ObjectHarness(CLASSES) as harness:
        Broken.mended = False
        assert await ask(harness, "PUT", "/jobs/once", {"ask": ["broken", "x"]}) == 202
        await harness.advance(200)
        assert await ask(harness, "GET", "/failed") == {"once": "once: the object answered 503"}
        assert await ask(harness, "POST", "/failed/unknown") == 404
        Broken.mended = True
        assert await ask(harness, "POST", "/failed/once") == 202
        await harness.advance(1)
        assert await ask(harness, "GET", "/failed") == {}


async def test_a_job_that_fails_harms_no_other() -> None:
    async with ObjectHarness(CLASSES) as harness:
        Broken.mended = False
        await ask(harness, "PUT", "/jobs/bad", {"ask": ["broken", "x"]})
        await ask(harness, "PUT", "/jobs/good", {"ask": ["report", "sales"], "every_seconds": 10})
        await harness.advance(41)
        assert await made(harness) == {"made": 4}


async def test_a_repetition_counts_once() -> None:
    async with ObjectHarness(CLASSES) as harness:
        again = Request(method="POST", path="/scheduled", headers={"idempotency-key": "nightly@1"})
        for _ in range(2):
            await harness.request("report", "sales", again)
        assert await made(harness) == {"made": 1}
