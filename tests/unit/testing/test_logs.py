"""Tests of objects log plainly, whatever is installed beside them."""

import pytest
import structlog

from app.sdk import DurableObject, Request
from app.testing.harness import ObjectHarness


class Raising(DurableObject):
    def on_request(self, request: Request) -> None:  # type: ignore[override]  # it never returns
        secret = "what a local variable holds"  # noqa: F841 - must not be printed
        raise RuntimeError("not today")


async def test_a_traceback_in_a_test_is_plain_and_tells_no_local_variables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    structlog.reset_defaults()
    async with ObjectHarness({"r": Raising}) as harness:
        with pytest.raises(Exception, match="not today"):
            await harness.request("r", "x", Request())
    printed = capsys.readouterr().out
    assert "RuntimeError: not today" in printed
    assert "what a local variable holds" not in printed.replace(
        'secret = "what a local variable holds"', ""
    )


async def test_who_has_configured_the_logs_is_left_alone() -> None:
    with structlog.testing.capture_logs() as logs:
        async with ObjectHarness({"r": Raising}) as harness:
            with pytest.raises(Exception, match="not today"):
                await harness.request("r", "x", Request())
    assert "object_fault" in [line["event"] for line in logs]
