"""Stateroom: Durable Objects for Python teams, on Postgres, with a TinyBase sync server built in.

The tree is drawn in docs/concepts.md: `core` (vocabulary), `sdk` (what authors import), `room`
(one live object), `store` (Postgres), `tinybase` (the built-in object class), `cluster` (many
rooms), `web` and `transport` (the outside), `wiring` (puts it together).
"""

from pathlib import Path

from .native import choose

__version__ = "0.1.0"

BUILD = choose(__name__, Path(__file__).parent)
"""Whether compiled modules are used."""
