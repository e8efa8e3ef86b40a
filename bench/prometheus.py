"""Prometheus with the very files of `deploy/prometheus`, on loopback and in quick time.

Quick: every duration of the rules is divided by `HASTE`, so that what takes minutes takes
seconds. Scrapes are every few seconds, because one may take as long as a silent worker is waited
for. What else names a place (targets, the token) is put in another's stead; a replacement that
finds nothing to replace is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import orjson

from bench.measurement import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from types import TracebackType

DEPLOY: Final = Path(__file__).parent.parent / "deploy" / "prometheus"
PACKAGE: Final = "prometheus"
MISSING: Final = (
    "prometheus and promtool are not installed: "
    "on Debian: apt-get install --no-install-recommends prometheus"
)
HASTE: Final = 10
"""How many times quicker alerts are than those that are shipped."""
SCRAPE_SECONDS: Final = 4

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.2
_HTTP_SECONDS: Final = 10.0
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600}
_DURATION: Final = re.compile(r"(\[|\bfor: )(\d+)([smh])\b")


class PrometheusError(Exception):
    """It is not installed, or does not run with its files."""


class Alert(NamedTuple):
    """An alert that is pending or fires.

    Attributes:
        name: Of its rule.
        firing: Whether it fires.
        labels: Whom it is about.
    """

    name: str
    firing: bool
    labels: Mapping[str, str]


def find(program: str = "prometheus") -> str | None:
    """Return a program of the package, or None."""
    return shutil.which(program)


def hastened(rules: str) -> str:
    """Return the text of rules with every duration shortened; what is at once stays so."""

    def shorter(found: re.Match[str]) -> str:
        seconds = int(found[2]) * _UNITS[found[3]]
        return f"{found[1]}{seconds and max(seconds // HASTE, 1)}s"

    return _DURATION.sub(shorter, rules)


class Prometheus:
    """One Prometheus; a context manager.

    Args:
        folder: For its files and its data; made.
        ports: Of the servers that it scrapes, on loopback.
    """

    def __init__(self, folder: Path, ports: Sequence[int]) -> None:
        self._folder = folder
        self._ports = ports
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        program = find()
        if program is None:
            raise PrometheusError(MISSING)
        self._render()
        command = [
            *(program, f"--config.file={self._folder / 'prometheus.yml'}"),
            *(f"--storage.tsdb.path={self._folder / 'data'}", "--log.level=warn"),
            *(f"--web.listen-address=127.0.0.1:{self._port}",),
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 -- a fork takes a millisecond
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            await self._until_ready(self._process)
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    async def alerts(self) -> list[Alert]:
        """Return what is pending and what fires."""
        told = await self._get("/api/v1/alerts")
        return [
            Alert(each["labels"]["alertname"], each["state"] == "firing", each["labels"])
            for each in told["data"]["alerts"]
        ]

    async def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {alert.name for alert in await self.alerts() if alert.firing}

    async def value(self, expression: str) -> float | None:
        """Return the first value of an expression now, or None when it has none."""
        query = urllib.parse.urlencode({"query": expression})
        found = (await self._get(f"/api/v1/query?{query}"))["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    async def fires(self, wanted: Collection[str], *, within_seconds: float) -> set[str]:
        """Wait until each of these alerts has fired, now or earlier; returns all that have.

        Raises:
            TimeoutError: They have not; it says which have.
        """
        seen: set[str] = set()

        async def look() -> bool:
            seen.update(await self.firing())
            return seen >= set(wanted)

        await self._until(
            look, within_seconds, lambda: f"{sorted(set(wanted) - seen)} did not fire"
        )
        return seen

    async def calms_down(self, *, within_seconds: float) -> set[str]:
        """Wait until no alert fires; returns those that have fired meanwhile.

        Raises:
            TimeoutError: Some still do.
        """
        now: set[str] = set()
        seen: set[str] = set()

        async def look() -> bool:
            now.clear()
            now.update(await self.firing())
            seen.update(now)
            return not now

        await self._until(look, within_seconds, lambda: f"still firing: {sorted(now)}")
        return seen

    async def comes_to(self, expression: str, least: float, *, within_seconds: float) -> None:
        """Wait until an expression has at least this value.

        Raises:
            TimeoutError: It has not.
        """
        latest: list[float | None] = [None]

        async def look() -> bool:
            latest[0] = await self.value(expression)
            return latest[0] is not None and latest[0] >= least

        await self._until(look, within_seconds, lambda: f"{expression} is {latest[0]}")

    def log(self) -> str:
        """The end of what it has said."""
        return (self._folder / "log").read_text(errors="replace")[-2000:]

    # -- below ---------------------------------------------------------------------------------

    async def _until(
        self, look: Callable[[], Any], within_seconds: float, told: Callable[[], str]
    ) -> None:
        try:
            async with asyncio.timeout(within_seconds):
                while True:
                    with contextlib.suppress(OSError):  # it is busy: the next look tells
                        if await look():
                            return
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise TimeoutError(told()) from None

    def _render(self) -> None:
        self._folder.mkdir(mode=0o711, exist_ok=True)
        targets = ", ".join(f'"127.0.0.1:{port}"' for port in self._ports)
        config = (DEPLOY / "prometheus.yml").read_text()
        for old, new in {
            "scrape_interval: 15s": f"scrape_interval: {SCRAPE_SECONDS}s",
            "evaluation_interval: 15s": "evaluation_interval: 1s",
            "scrape_timeout: 10s": f"scrape_timeout: {SCRAPE_SECONDS}s",
            "    authorization:\n      credentials_file: stateroom-token\n": "",
            '"127.0.0.1:8000"': targets,
        }.items():
            if old not in config:
                raise LookupError(f"{old!r} does not stand in prometheus.yml")
            config = config.replace(old, new)
        (self._folder / "prometheus.yml").write_text(config)
        (self._folder / "alerts.yml").write_text(hastened((DEPLOY / "alerts.yml").read_text()))

    async def _until_ready(self, process: subprocess.Popen[bytes]) -> None:
        async def look() -> bool:
            if process.poll() is not None:
                raise PrometheusError(f"it has ended: {self.log()}")
            try:
                await asyncio.to_thread(self._read, "/-/ready")
            except OSError:
                return False
            return True

        await self._until(look, _START_SECONDS, lambda: f"it is not ready: {self.log()}")

    async def _get(self, target: str) -> Any:
        return orjson.loads(await asyncio.to_thread(self._read, target))

    def _read(self, target: str) -> bytes:
        url = f"http://127.0.0.1:{self._port}{target}"
        with urllib.request.urlopen(url, timeout=_HTTP_SECONDS) as answer:
            return bytes(answer.read())
