"""Deliberate faults of the store."""


def switch_on(name: str) -> None:
    raise SystemExit(name)
