"""Servers with addresses of their own, as pods have them, set as the Kubernetes manifest does.

Two addresses of the loopback network stand for two pods: the same port for links in both, and each
tells the others its own address. The second address listens on no other, so the way to a room of
the other server can only be the one that was told.
"""

import asyncio
import socket
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.architecture.sources import ROOT
from tests.integration.command_line import DEADLINE_SECONDS, Served
from tests.integration.supervised import WHO

PODS: Final = ("127.0.0.2", "127.0.0.3")
MANIFEST: Final = ROOT / "deploy/kubernetes/base/statefulset.yaml"
OBJECTS: Final = 4
TOKEN: Final = "a token of the rooms here"


def settings_of_the_manifest(pod_ip: str, port: int) -> dict[str, str]:
    """What the manifest gives a pod; here its listener, too, has but the one address."""
    container = yaml.safe_load(MANIFEST.read_text("utf-8"))["spec"]["template"]["spec"]
    given: list[dict[str, Any]] = container["containers"][0]["env"]
    told = {entry["name"]: str(entry.get("value", pod_ip)) for entry in given}
    assert told["STATEROOM_INTERNAL_HOST"] == "0.0.0.0"
    assert told["STATEROOM_INTERNAL_ADDRESS"] == pod_ip
    del told["STATEROOM_SECRETS_DIR"]
    return told | {
        "STATEROOM_INTERNAL_HOST": pod_ip,
        "STATEROOM_INTERNAL_PORT": str(port),
        "STATEROOM_WORKERS": "1",
        "STATEROOM_ROOM_TOKEN": TOKEN,
    }


def port_that_is_free_on_both() -> int:
    with socket.socket() as one, socket.socket() as other:
        one.bind((PODS[0], 0))
        port = int(one.getsockname()[1])
        other.bind((PODS[1], port))
        return port


def served(folder: Path, database_url: str, pod_ip: str, port: int) -> Served:
    place = folder / pod_ip
    place.mkdir()
    (place / "who.py").write_text(WHO)
    return Served(
        place,
        "--host",
        pod_ip,
        DATABASE_URL=database_url,
        STATEROOM_NAMESPACES="who=who:Who",
        STATEROOM_ALLOWED_HOSTS=",".join(PODS),  # on loopback only its names are expected
        **settings_of_the_manifest(pod_ip, port),
    )


async def test_what_reaches_the_wrong_pod_is_brought_to_the_right_one_at_its_own_address(
    folder: Path, database_url: str
) -> None:
    port = port_that_is_free_on_both()
    with (
        served(folder, database_url, PODS[0], port) as first,
        served(folder, database_url, PODS[1], port) as second,
    ):
        owners = await asyncio.to_thread(ask, [first.url, second.url])
    assert owners == [str(first.process.pid)] * OBJECTS * 2


def ask(urls: list[str]) -> list[str]:
    """Ask for each object at one server after the other; who answers?"""
    bearer = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(timeout=DEADLINE_SECONDS, headers=bearer) as client:
        return [
            client.get(f"{url}/objects/who/{number}").text
            for url in urls
            for number in range(OBJECTS)
        ]
