"""Reads the protocol's test vectors; numbers beyond the integers are doubles, as in JavaScript."""

from pathlib import Path
from typing import Any

from app.sdk.json import parse_json

_FOLDER = Path(__file__).parents[2] / "vectors"
BIG = "a" * 16_777_216


def vectors(name: str) -> dict[str, Any]:
    content: dict[str, Any] = parse_json((_FOLDER / f"{name}.json").read_bytes())
    return content


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = vectors(name)["cases"]
    return found


def frame_of(recorded: Any) -> str | bytes:
    """A frame of frames-validity: text, or bytes for a binary one."""
    if isinstance(recorded, str):
        return recorded.replace("@BIG", BIG)
    if "hex" in recorded:
        return bytes.fromhex(recorded["hex"])
    return str(recorded["binary"]).encode()
